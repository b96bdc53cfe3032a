// The Console's files. A browser that navigates to a Console page gets the page; nothing else gets HTML.

import { noRoute } from './paths.ts';
import type { ApiPorts } from './ports.ts';

const API_PATHS = /^\/(v1|api)(\/|$)/;

export async function serveConsole(request: Request, assets: ApiPorts['assets']): Promise<Response> {
  const url = new URL(request.url);
  const absent = noRoute(request.method, url.pathname);
  if (API_PATHS.test(url.pathname)) throw absent;
  const file = await assets(new Request(url, { method: 'GET', headers: conditions(request) }));
  if (file.status !== 404) return file;
  await file.body?.cancel();
  if (!isNavigation(request, url)) throw absent;
  return assets(new Request(new URL('/', url), { headers: conditions(request) }));
}

function isNavigation(request: Request, url: URL): boolean {
  const names = url.pathname.split('/');
  return !names.at(-1)?.includes('.') && (request.headers.get('accept')?.includes('text/html') ?? false);
}

/** What a file's answer may depend on; keys and cookies stay here. */
function conditions(request: Request): Headers {
  const headers = new Headers();
  for (const name of ['if-none-match', 'accept-encoding', 'range']) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  return headers;
}
