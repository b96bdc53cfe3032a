// One request of a preview, passed on to the sandbox and answered by it. What belongs to the platform stays here: the token is
// not shown to what listens in the sandbox, nor the address of the sandbox to the browser.
import { asksForSocket } from '../socket.ts';
import { otherCookies, TOKEN_HEADER } from './preview-tokens.ts';

/** How the server side reaches a port of a sandbox. */
export interface Exposed {
  url: string;
  /** Of every request: they carry what lets it in. */
  headers: Record<string, string>;
}

/** Of one connection only, or the platform's own. */
const HELD_BACK = [
  TOKEN_HEADER,
  'authorization',
  'cookie',
  'host',
  'connection',
  'keep-alive',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'forwarded',
  'x-real-ip',
];
const HELD_BACK_PREFIXES = ['cf-', 'x-forwarded-'];

/** `url`: the request's own, without its token. Rejects when nobody answers at all. */
export async function passOn(request: Request, url: URL, exposed: Exposed): Promise<Response> {
  const target = new URL(exposed.url);
  target.pathname = url.pathname;
  target.search = url.search;
  const answer = await fetch(target, {
    method: request.method,
    headers: toHeaders(request, url, exposed),
    redirect: 'manual',
    ...(request.body && { body: request.body, duplex: 'half' }),
  });
  // A socket is carried by its answer, and a copy of that has none.
  if (answer.status === 101) return answer;
  return new Response(answer.body, { status: answer.status, headers: toAnswer(answer.headers, target, url) });
}

function toHeaders(request: Request, url: URL, { headers: admission }: Exposed): Headers {
  const headers = new Headers(request.headers);
  for (const name of [...headers.keys()]) {
    const held = HELD_BACK.includes(name) || HELD_BACK_PREFIXES.some((prefix) => name.startsWith(prefix));
    if (held) headers.delete(name);
  }
  if (!asksForSocket(request)) headers.delete('upgrade');
  const cookies = otherCookies(request);
  if (cookies !== '') headers.set('cookie', cookies);
  headers.set('x-forwarded-host', url.host);
  headers.set('x-forwarded-proto', url.protocol.slice(0, -1));
  for (const [name, value] of Object.entries(admission)) headers.set(name, value);
  return headers;
}

function toAnswer(given: Headers, target: URL, url: URL): Headers {
  const headers = new Headers(given);
  headers.delete('set-cookie');
  // A cookie is for this preview's origin, whatever domain it names.
  for (const cookie of given.getSetCookie()) {
    headers.append('set-cookie', cookie.replace(/;\s*domain=[^;]*/gi, ''));
  }
  const location = given.get('location');
  if (location !== null && URL.canParse(location, target)) {
    const moved = new URL(location, target);
    if (moved.host === target.host)
      headers.set('location', url.origin + moved.pathname + moved.search + moved.hash);
  }
  if (!headers.has('referrer-policy')) headers.set('referrer-policy', 'same-origin');
  return headers;
}
