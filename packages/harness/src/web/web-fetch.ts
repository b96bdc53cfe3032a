// web_fetch: a page of the public web as text, pictures and PDFs as they are. It asks with GET and nothing of the session's.
//  W1 The domains of the tool's settings hold for every redirect; what leads into a private network is refused.
//  W2 Where the sources of URLs are limited, only what one of them has shown is asked for.
import type { ToolResultContent } from '@capstan/schema/content';
import { webFetchOf } from '@capstan/schema/tools';
import type { WebFetchSettings } from '@capstan/schema/web-tools';
import type { ToolCall, ToolOutcome } from '@capstan/session/harness';
import { isSafeFetchError, type Reach, safeFetch } from '@capstan/shared/safe-fetch';
import { z } from 'zod';
import { toBase64 } from '../models/file-content.ts';
import { clean, isBinary, wholeChars } from '../tools/output-text.ts';
import { failed } from '../tools/tool.ts';
import { isAllowed } from './domains.ts';
import { toPage } from './html-text.ts';
import { isShown } from './shown-urls.ts';

const input = z.object({ url: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }) });

const TIMEOUT_MS = 30_000;
const MAX_BYTES = 5 * 1024 * 1024;
const REDIRECTS = 5;
const CHARS_PER_TOKEN = 4;
const IMAGES: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);
const HTML: ReadonlySet<string> = new Set(['text/html', 'application/xhtml+xml']);

/** Thrown for a URL that the tool's settings exclude. */
class NotAllowed extends Error {}

export async function webFetch(call: ToolCall, reach: Reach, signal: AbortSignal): Promise<ToolOutcome> {
  const parsed = input.safeParse(call.input);
  if (!parsed.success)
    return failed(`The input of web_fetch cannot be used: url ${parsed.error.issues[0]?.message}.`);
  const url = new URL(parsed.data.url);
  const settings = webFetchOf(call.agent.tools);
  if (!(await isWelcome(url, settings, call)))
    return failed(
      'Not fetched: this URL is not one that the conversation has shown. Ask for it, or search for it.',
    );
  try {
    return await read(url, { settings, reach, signal });
  } catch (error) {
    if (signal.aborted) throw error;
    if (error instanceof NotAllowed || isSafeFetchError(error))
      return failed(`Not fetched: ${error.message}.`);
    throw error;
  }
}

async function isWelcome(
  url: URL,
  { url_sources: sources }: WebFetchSettings,
  call: ToolCall,
): Promise<boolean> {
  if (sources === null) return true;
  return isShown(url, { sources, context: await call.context(), tools: call.agent.tools });
}

interface Fetching {
  settings: WebFetchSettings;
  reach: Reach;
  signal: AbortSignal;
}

async function read(url: URL, { settings, reach, signal }: Fetching): Promise<ToolOutcome> {
  let last = url;
  const visit = (next: URL) => {
    if (!isAllowed(next, settings))
      throw new NotAllowed(`the settings of web_fetch exclude ${next.hostname}`);
    last = next;
  };
  const headers = { accept: 'text/html,text/*;q=0.9,*/*;q=0.5', 'user-agent': 'Capstan/1 (web_fetch)' };
  const bounds = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, redirects: REDIRECTS };
  const response = await safeFetch(url, { headers, signal }, { ...reach, ...bounds, plainHttp: true, visit });
  const [type = ''] = (response.headers.get('content-type') ?? '').toLowerCase().split(';', 1);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (!response.ok) return failed(`${last.href} answers with status ${response.status}.`);
  return { content: toContent({ bytes, type: type.trim(), from: last }, settings), isError: false };
}

interface Fetched {
  bytes: Uint8Array<ArrayBuffer>;
  type: string;
  /** After redirects. */
  from: URL;
}

function toContent({ bytes, type, from }: Fetched, settings: WebFetchSettings): ToolResultContent[] {
  const heading = (title: string | null) => `[${from.href}]${title === null ? '' : `\n# ${title}`}\n\n`;
  if (IMAGES.has(type) || type === 'application/pdf') {
    const source = { type: 'base64' as const, media_type: type, data: toBase64(bytes) };
    const shown: ToolResultContent =
      type === 'application/pdf' ? { type: 'document', source } : { type: 'image', source };
    return [{ type: 'text', text: heading(null).trim() }, shown];
  }
  if (isBinary(bytes))
    return [
      {
        type: 'text',
        text: `${heading(null)}[${bytes.length} bytes of type ${type || 'unknown'}: not text]`,
      },
    ];
  const text = clean(new TextDecoder().decode(bytes));
  const page = HTML.has(type) || looksLikeHtml(text) ? toPage(text, from) : { title: null, text };
  return [{ type: 'text', text: heading(page.title) + shortened(page.text, settings) }];
}

function looksLikeHtml(text: string): boolean {
  return /^\s*(<!doctype html|<html)/i.test(text.slice(0, 500));
}

function shortened(text: string, { max_content_tokens: most }: WebFetchSettings): string {
  const limit = (most ?? Number.POSITIVE_INFINITY) * CHARS_PER_TOKEN;
  if (text.length <= limit) return text === '' ? '(no text)' : text;
  return `${wholeChars(text, limit)}\n[Cut here: the tool's limit is ${most} tokens of content.]`;
}
