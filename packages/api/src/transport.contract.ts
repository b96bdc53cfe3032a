// What clients of any age and making send besides a route's own input, and what every route makes of it.
import { Agent, request as httpRequest } from 'node:http';
import { seek, toPage } from '@capstan/db/cursor';
import { errorEnvelope } from '@capstan/schema/error';
import type { RouteSpec } from '@capstan/schema/route';
import { expect, it } from 'vitest';
import { z } from 'zod';

export interface Wire {
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Where it is served, for connections that are looked at. */
  url: string;
  /** Something that the route takes. */
  key: string;
  /** The route's path with something that belongs to the key. */
  path: string;
}

/** One byte more than a body may have, of those who show a key and of others. */
const OVERSIZE = { key: Buffer.alloc(32 * 1024 * 1024 + 1, ' '), public: Buffer.alloc(16 * 1024 + 1, ' ') };

export function itKeepsTheRulesOfTransport(route: RouteSpec, wire: () => Wire): void {
  /** Nothing is made, changed or removed by it. */
  const idle = route.path.replaceAll(/\{\w+\}/g, 'none');
  const text = route.method === 'get' ? {} : { body: '[]' };
  const ask = (path: string, init: RequestInit = {}) =>
    wire().fetch(path, { method: route.method.toUpperCase(), ...init });
  const keyed = (more: Record<string, string> = {}) => ({ 'x-api-key': wire().key, ...more });

  if (route.access === 'key')
    it('takes its key in either header, whatever version, betas and workspace come with it', async () => {
      const { key } = wire();
      const first = await told(await ask(idle, { headers: { 'x-api-key': key }, ...text }));
      expect(first).not.toMatch(/^40[13]/);
      const older = { 'x-api-key': key, 'anthropic-version': '2023-06-01', 'anthropic-beta': 'a-2020-01-01' };
      const newer = {
        authorization: `Bearer ${key}`,
        'anthropic-version': '2026-10-21',
        'anthropic-beta': 'managed-agents-2026-04-01,unheard-of-2099-01-01,managed-agents-2026-04-01',
        'anthropic-organization-id': 'org_unheard_of',
        'anthropic-workspace-id': 'wrkspc_unheard_of',
        'x-stainless-retry-count': '1',
        accept: 'application/binary',
      };
      const odd = { authorization: `bearer   ${key}`, 'x-api-key': '', 'anthropic-version': '1999-01-01' };
      for (const headers of [older, newer, odd])
        expect(await told(await ask(`${idle}?beta=true`, { headers, ...text }))).toBe(first);
    });

  if (route.params && route.method === 'get' && !route.stream)
    it('reads ids that are percent-encoded', async () => {
      const { path } = wire();
      const encode = (id: string) => id.replaceAll(/[^/]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
      const parts = route.path.split('/').map((part, index) => {
        const given = path.split('/')[index] ?? '';
        return part.startsWith('{') ? encode(given) : given;
      });
      const plain = await ask(path, { headers: keyed() });
      const encoded = await ask(parts.join('/'), { headers: keyed() });
      expect(encoded.status).toBe(plain.status);
      await Promise.all([plain.text(), encoded.text()]);
    });

  const bodiless = route.method === 'post' && !route.form && !route.raw;
  if (bodiless && route.params && (route.body === undefined || route.body.safeParse({}).success))
    it('takes a POST without a body or a type of one', async () => {
      expect(await told(await ask(idle, { headers: keyed() }))).toMatch(/^404 /);
    });

  if (route.body)
    it('refuses a body that is too large, and goes on with its connection', async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const headers = { ...keyed(), 'content-type': 'application/json' };
      const send = (path: string, method: string, body?: Buffer) =>
        new Promise<{ status: number; reused: boolean; text: string }>((resolve, reject) => {
          const request = httpRequest(
            `${wire().url}${path}`,
            { agent, method, headers },
            async (response) => {
              const parts: Buffer[] = [];
              for await (const part of response) parts.push(part);
              const { statusCode: status = 0 } = response;
              resolve({ status, reused: request.reusedSocket, text: Buffer.concat(parts).toString() });
            },
          );
          request.on('error', reject);
          request.end(body);
        });
      const refused = await send(idle, route.method.toUpperCase(), OVERSIZE[route.access]);
      expect(refused).toMatchObject({ status: 413 });
      expect(errorEnvelope.parse(JSON.parse(refused.text)).error.type).toBe('request_too_large');
      expect(await send('/health', 'GET')).toMatchObject({ status: 200, reused: true });
      agent.destroy();
    });

  const { query } = route;
  for (const [name, field] of Object.entries(query?.shape ?? {})) {
    if (!isList(field)) continue;
    it(`reads ${name} as ${name}[]= and as ${name}= repeated`, async () => {
      const { path } = wire();
      const asked = async (...given: string[]) =>
        told(await ask(`${path}?${given.join('&')}`, { headers: keyed() }));
      const [encoded, one, two] = [`${name}%5B%5D`, 'x%20y', 'y%26z'];
      const first = await asked(`${name}[]=${one}`, `${name}[]=${two}`);
      expect(await asked(`${encoded}=${one}`, `${encoded}=${two}`)).toBe(first);
      expect(await asked(`${name}=${one}`, `${name}=${two}`)).toBe(first);
    });
  }

  if (query && 'page' in query.shape)
    it('refuses the cursor of another list', async () => {
      const other = { list: 'another list', tenantId: 'tnt_default', order: 'desc' as const, limit: 1 };
      const { next } = toPage(other, seek(other), [{ id: 'x_2' }, { id: 'x_1' }]);
      const { path } = wire();
      expect(await told(await ask(`${path}?page=${next}`, { headers: keyed() }))).toMatch(/^400 page: /);
    });
}

/** Whether it wants a list: only of one is it said that there is none. */
function isList(field: z.core.$ZodType): boolean {
  const { error } = z.safeParse(field, {});
  return error?.issues.some((issue) => issue.code === 'invalid_type' && issue.expected === 'array') ?? false;
}

/** The status, and of a refusal what it says. */
async function told(response: Response): Promise<string> {
  const text = await response.text();
  if (response.ok) return String(response.status);
  return `${response.status} ${errorEnvelope.parse(JSON.parse(text)).error.message}`;
}
