// A content over HTTP: whole, as a range, or known already to who asks (RFC 9110). It is a download, never a page.
import { ApiError } from '@capstan/schema/error';

export interface Downloadable {
  filename: string;
  mimeType: string;
  sizeBytes: number;
  digest: string;
  /** The bytes, or a range of them. */
  open(range?: { offset: number; length: number }): Promise<ReadableStream<Uint8Array>>;
}

/** Refuses a range beyond the end (`range_not_satisfiable`) and a content that is not the one wanted (`precondition_failed`). */
export async function download(request: Request, content: Downloadable): Promise<Response> {
  const { sizeBytes } = content;
  const etag = `"${content.digest}"`;
  const headers = new Headers({
    'content-type': content.mimeType,
    'content-disposition': disposition(content.filename),
    'accept-ranges': 'bytes',
    'cache-control': 'private, no-cache, no-transform',
    // Miniflare, which serves a platform on one machine, does not know no-transform: it packs texts, at a twentieth of the speed
    // and without their length, unless they are coded already.
    'content-encoding': 'identity',
    etag,
  });
  const wanted = request.headers.get('if-match');
  if (wanted !== null && !names(wanted, etag))
    throw new ApiError('precondition_failed', `if-match: the content is ${etag} now`);
  if (names(request.headers.get('if-none-match'), etag)) return new Response(null, { status: 304, headers });
  const range = rangeOf(request, { etag, sizeBytes });
  headers.set('content-length', String(range?.length ?? sizeBytes));
  if (range) {
    const last = range.offset + range.length - 1;
    headers.set('content-range', `bytes ${range.offset}-${last}/${sizeBytes}`);
  }
  const body = request.method === 'HEAD' ? null : await content.open(range);
  return new Response(body, { status: range ? 206 : 200, headers });
}

/** One range; several, or what is not understood, ask for the whole. */
function rangeOf(
  { headers }: Request,
  { etag, sizeBytes }: { etag: string; sizeBytes: number },
): { offset: number; length: number } | undefined {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.get('range') ?? '') ?? [];
  const condition = headers.get('if-range');
  if ((from === '' && to === '') || (condition !== null && condition !== etag)) return undefined;
  const offset = from === '' ? Math.max(0, sizeBytes - Number(to)) : Number(from);
  const end = from === '' || to === '' ? sizeBytes : Math.min(sizeBytes, Number(to) + 1);
  if (from !== '' && to !== '' && Number(to) < offset) return undefined;
  if (offset < end) return { offset, length: end - offset };
  throw new ApiError('range_not_satisfiable', `range: the file has ${sizeBytes} bytes`);
}

function names(condition: string | null, etag: string): boolean {
  const tags = (condition ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(etag) || tags.includes('*');
}

/** RFC 6266: plain for old clients, and as it is written for the others. */
export function disposition(filename: string): string {
  const name = filename.split('/').at(-1) ?? filename;
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const exact = encodeURIComponent(name).replaceAll(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}
