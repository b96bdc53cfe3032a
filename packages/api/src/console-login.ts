// Console sign-in: an API key or a one-time code becomes a cookie.
import { LoginCodeStore } from '@capstan/db/login-codes';
import { consoleRoutes } from '@capstan/schema/console-login';
import { ApiError } from '@capstan/schema/error';
import { clearedCookie } from './auth/cookie.ts';
import { sha256Hex, toBase64Url } from './auth/digest.ts';
import { requireSameOrigin } from './auth/gate.ts';
import type { Principal } from './call.ts';
import { mount } from './mount.ts';
import type { Surface } from './surface.ts';

const CODE_LIFETIME_MS = 10 * 60_000;
const CODE_BYTES = 32;

export function mountConsoleLogin(surface: Surface): void {
  const { ports, gate } = surface;
  const codes = new LoginCodeStore(ports.db);

  mount(surface, consoleRoutes.createLoginLink, async ({ principal, now }) => {
    const code = toBase64Url(crypto.getRandomValues(new Uint8Array(CODE_BYTES)));
    const expiresAt = now + CODE_LIFETIME_MS;
    const { tenantId, apiKey } = principal;
    const owner = { tenantId, apiKeyId: apiKey.id, apiKeyName: apiKey.name, apiKeyLastFour: apiKey.lastFour };
    await codes.put({ hash: await sha256Hex(code), expiresAt, ...owner });
    return { code, expires_at: new Date(expiresAt).toISOString() };
  });

  const byCode = async (code: string, now: number): Promise<Principal> => {
    const taken = await codes.take(await sha256Hex(code), now);
    if (taken) {
      const apiKey = { id: taken.apiKeyId, name: taken.apiKeyName, lastFour: taken.apiKeyLastFour };
      const principal = { tenantId: taken.tenantId, apiKey };
      if (await gate.keyring.stillHolds(principal)) return principal;
    }
    throw new ApiError('unauthenticated', 'This sign-in code is unknown, expired or was used already');
  };

  mount(surface, consoleRoutes.login, async ({ body, request, now, head }) => {
    refuseForeignOrigin(request);
    const principal =
      'api_key' in body ? await gate.byKey(body.api_key.trim()) : await byCode(body.code, now);
    const secure = isSecure(request);
    head.headers.append('set-cookie', await gate.cookies.issue(principal, { now, secure }));
    return toResource(principal);
  });

  mount(surface, consoleRoutes.logout, ({ request, head }) => {
    refuseForeignOrigin(request);
    head.headers.append('set-cookie', clearedCookie(isSecure(request)));
    return { ok: true as const };
  });

  mount(surface, consoleRoutes.me, async ({ principal }) => {
    const { sessions, version } = ports;
    const [model, isolation] = await Promise.all([sessions.modelNotice(), sessions.isolation()]);
    return { ...toResource(principal), model, sandbox_isolation: isolation, version };
  });
}

function toResource({ tenantId, apiKey: { id, name, lastFour } }: Principal) {
  return { tenant_id: tenantId, api_key: { id, name, last_four: lastFour } };
}

/** Another site may not sign its visitor in or out here. Programs send no origin. */
function refuseForeignOrigin(request: Request): void {
  if (request.headers.has('origin')) requireSameOrigin(request);
}

function isSecure(request: Request): boolean {
  return new URL(request.url).protocol === 'https:';
}
