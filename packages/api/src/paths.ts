// Which methods a path answers, read off the route list: a known path with another method is 405, not 404.
import { ApiError } from '@capstan/schema/error';
import { ROUTES } from '@capstan/schema/routes';
import { vendorOnly } from '@capstan/schema/vendor-only';

const known = ROUTES.map(({ method, path }) => ({
  method: method.toUpperCase(),
  pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
}));

export function methodsAt(pathname: string): string[] {
  const methods = known.filter(({ pattern }) => pattern.test(pathname)).map(({ method }) => method);
  return methods.includes('GET') ? [...methods, 'HEAD'] : methods;
}

/** Why no route took the request. */
export function noRoute(method: string, pathname: string): ApiError {
  const allowed = methodsAt(pathname);
  if (allowed.length > 0) {
    const use = allowed.join(' or ');
    return new ApiError('method_not_allowed', `${method} is not allowed at ${pathname}; use ${use}`);
  }
  const elsewhere = vendorOnly(pathname);
  if (elsewhere !== null)
    return new ApiError('not_implemented', elsewhere.because, { reason: 'vendor_only' });
  return new ApiError('not_found', `Nothing is at ${pathname}; the API is described at /docs`);
}
