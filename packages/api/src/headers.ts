// Headers of every answer: nothing is sniffed, framed, embedded or told to other sites, and pages run our own files only.
import { workspaceOf } from '@capstan/schema/organizations';

const EVERYWHERE: Record<string, string> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
};

const NO_PAGE = "default-src 'none'; frame-ancestors 'none'";
const PAGE = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

export interface Frame {
  requestId: string;
  secure: boolean;
  /** Whose key it was; undefined: nobody's. */
  tenantId?: string | undefined;
}

/** A copy of `response` with the security headers, its request id and whose it is. */
export function withHeaders(response: Response, { requestId, secure, tenantId }: Frame) {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(EVERYWHERE)) headers.set(name, value);
  // What is downloaded is no page of ours, whatever type it has.
  const isHtml = headers.get('content-type')?.startsWith('text/html') ?? false;
  const isPage = isHtml && !headers.has('content-disposition');
  headers.set('content-security-policy', isPage ? PAGE : NO_PAGE);
  if (secure) headers.set('strict-transport-security', 'max-age=31536000');
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
  headers.set('request-id', requestId);
  if (tenantId !== undefined) {
    headers.set('anthropic-organization-id', tenantId);
    headers.set('anthropic-workspace-id', workspaceOf(tenantId));
  }
  return new Response(response.body, { status: response.status, headers });
}
