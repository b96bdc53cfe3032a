// What must hold of every route because it is in the list: run over a served API, whatever stands behind it.
import { errorEnvelope } from '@capstan/schema/error';
import { BODY_EXAMPLES } from '@capstan/schema/examples';
import {
  CREDENTIALS,
  type Credential,
  callersOf,
  type Download,
  type RouteSpec,
} from '@capstan/schema/route';
import { ROUTES } from '@capstan/schema/routes';
import { BYTES_EXAMPLES, FORM_EXAMPLES, formOf } from '@capstan/schema/upload-examples';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { itKeepsTheRulesOfTransport } from './transport.contract.ts';

export interface Served {
  fetch(path: string, init?: RequestInit): Promise<Response>;
  url: string;
  /** A good key. */
  key: string;
  /** A good key of another tenant. */
  strangerKey: string;
  /** For each path parameter, something that belongs to `key`; the environment is self-hosted. */
  ids: Record<string, string>;
  /** Of that environment, and for a work item of it. */
  environmentKey: string;
  sessionsToken: string;
  /** For each path parameter, something those two may touch. */
  workerIds: Record<string, string>;
  /** For each path parameter, something of the same tenant that they may not touch. */
  otherIds: Record<string, string>;
  /** Of another self-hosted environment of the same tenant. */
  otherEnvironmentKey: string;
  close(): Promise<void>;
}

export function runRouteContract(open: () => Promise<Served>): void {
  let served: Served;
  beforeAll(async () => {
    served = await open();
  });
  afterAll(() => served.close());

  const keyOf = (credential: Credential) =>
    ({ api_key: served.key, environment_key: served.environmentKey, sessions_token: served.sessionsToken })[
      credential
    ];
  /** Something that the route takes. */
  const keyFor = (route: RouteSpec) => keyOf(callersOf(route)[0] ?? 'api_key');
  const strangerFor = (route: RouteSpec) =>
    callersOf(route).includes('api_key') ? served.strangerKey : served.otherEnvironmentKey;

  const send = (route: RouteSpec, { path = route.path, key = keyFor(route), body }: Sending = {}) =>
    served.fetch(path, {
      method: route.method,
      headers: {
        ...(key !== '' && { 'x-api-key': key }),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body }),
    });
  const known = (route: RouteSpec) => fill(route, (name) => served.ids[name] ?? `no id for ${name}`);

  describe.each(ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const))(
    '%s',
    (_, route) => {
      it('answers every request with its own request id and the security headers', async () => {
        const first = await send(route, { path: fill(route, () => 'none') });
        const second = await send(route, { path: fill(route, () => 'none') });
        expect(first.headers.get('request-id')).toMatch(/^req_[0-9a-z]{24}$/);
        expect(second.headers.get('request-id')).not.toBe(first.headers.get('request-id'));
        expect(first.headers.get('x-content-type-options')).toBe('nosniff');
        expect(first.headers.get('content-security-policy')).toContain("default-src 'none'");
        expect(first.headers.get('access-control-allow-origin')).toBeNull();
      });

      it('refuses other methods with 405 and says which it takes', async () => {
        const response = await served.fetch(known(route), {
          method: 'PUT',
          headers: { 'x-api-key': served.key },
        });
        expect(response.status).toBe(405);
        expect(response.headers.get('allow')).toContain(route.method.toUpperCase());
        await expectRefusal(response, 405);
      });

      if (route.access === 'key') {
        it('refuses callers without a key, with a wrong one and with a malformed header', async () => {
          await expectRefusal(await send(route, { path: known(route), key: '' }), 401);
          await expectRefusal(await send(route, { path: known(route), key: 'wrong' }), 401);
          const headers = { authorization: `Basic ${served.key}` };
          await expectRefusal(await served.fetch(known(route), { method: route.method, headers }), 401);
        });
      }

      if (route.access === 'key') {
        it.each(CREDENTIALS)(
          'takes %s when it says so, for what is its own, and nothing else',
          async (kind) => {
            const key = keyOf(kind);
            const body = route.body ? { body: JSON.stringify(BODY_EXAMPLES[route.operationId] ?? {}) } : {};
            if (!callersOf(route).includes(kind)) {
              const told = await expectRefusal(await send(route, { path: known(route), key, ...body }), 403);
              expect(told).toMatch(/^This call takes /);
              return;
            }
            if (kind === 'api_key') return;
            const own = (each: string) => served.workerIds[each] ?? `no id for ${each}`;
            for (const name of Object.keys(route.params?.shape ?? {})) {
              const not = (each: string) => (each === name ? (served.otherIds[each] ?? 'none') : own(each));
              await expectRefusal(await send(route, { path: fill(route, not), key, ...body }), 404);
            }
            if (route.method !== 'get' || route.stream) return;
            const { status } = await send(route, { path: fill(route, own), key });
            expect(status).toBe(route.empty ? 204 : 200);
          },
        );
      }

      if (route.params) {
        it('does not find what does not exist or belongs to another tenant', async () => {
          const body = route.body ? { body: JSON.stringify(BODY_EXAMPLES[route.operationId] ?? {}) } : {};
          await expectRefusal(await send(route, { path: fill(route, () => 'none'), ...body }), 404);
          await expectRefusal(
            await send(route, { path: known(route), key: strangerFor(route), ...body }),
            404,
          );
        });
      }

      const { body: taken } = route;
      if (taken) {
        it('refuses malformed JSON, text that is not UTF-8, and values of another kind', async () => {
          const path = known(route);
          expect(await expectRefusal(await send(route, { path, body: '{"a":' }), 400)).toMatch(
            /^body: not valid JSON/,
          );
          const bytes = new Uint8Array([0x22, 0xff, 0x22]);
          expect(await expectRefusal(await send(route, { path, body: bytes }), 400)).toBe(
            'body: not valid UTF-8',
          );
          for (const body of ['[]', '"text"', 'null', '5']) {
            expect(await expectRefusal(await send(route, { path, body }), 400)).toMatch(
              /^body: expected object/,
            );
          }
          if (taken.safeParse({}).success) return;
          // Where nothing is required, an absent body changes nothing.
          if (route.body?.safeParse({}).success) return;
          expect(await expectRefusal(await send(route, { path }), 400)).toMatch(/required/);
        });
      }

      const { query } = route;
      if (query && 'limit' in query.shape) {
        it('refuses limits and cursors it cannot follow, naming them', async () => {
          for (const limit of ['0', '-1', 'ten', '100000', '1.5', '', '1e1', ' 5']) {
            const path = `${known(route)}?limit=${limit}`;
            expect(await expectRefusal(await send(route, { path }), 400)).toMatch(/^limit: /);
          }
          // Some lists have ids for cursors: any id has a place in their order.
          if (!('page' in query.shape)) return;
          for (const page of ['bogus', 'W10', 'x'.repeat(513)]) {
            const path = `${known(route)}?page=${page}`;
            expect(await expectRefusal(await send(route, { path }), 400)).toMatch(/^page: /);
          }
        });
      }

      if (route.form || route.raw) {
        it('takes the upload that the reference shows', async () => {
          const { operationId } = route;
          const body = route.form ? formOf(FORM_EXAMPLES[operationId] ?? []) : BYTES_EXAMPLES[operationId];
          const path = route.raw ? `${known(route)}?path=/workspace/sales.csv` : known(route);
          const headers = { 'x-api-key': keyFor(route) };
          const response = await served.fetch(path, { method: route.method, headers, body });
          const answer: unknown = await response.json();
          expect(response.status, JSON.stringify(answer)).toBe(200);
          expect(route.response.parse(answer)).toEqual(answer);
        });
      }

      itKeepsTheRulesOfTransport(route, () => ({ ...served, key: keyFor(route), path: known(route) }));

      if (route.method === 'get' && !route.stream) {
        it('answers as its schema says, with HEAD too and whatever it does not know in the query', async () => {
          const response = await send(route, { path: `${known(route)}?beta=true&unheard_of=1` });
          expect(response.status).toBe(route.empty ? 204 : 200);
          const text = await response.text();
          if (route.empty) expect(text).toBe('');
          else if (!route.bytes) expectJson(route, { type: response.headers.get('content-type'), text });
          else expectDownload(route.bytes, response.headers);
          const headers = { 'x-api-key': keyFor(route) };
          const head = await served.fetch(known(route), { method: 'HEAD', headers });
          expect(head.status).toBe(response.status);
          expect(await head.text()).toBe('');
        });
      }
    },
  );
}

function expectJson(route: RouteSpec, { type, text }: { type: string | null; text: string }): void {
  expect(type).toBe(route.lines ? 'application/x-ndjson' : 'application/json');
  for (const line of route.lines ? text.trimEnd().split('\n') : [text]) {
    const body: unknown = JSON.parse(line);
    expect(route.response.parse(body)).toEqual(body);
  }
}

function expectDownload({ type, ranges }: Download, headers: Headers): void {
  expect(headers.get('content-disposition')).toMatch(/^attachment; filename="/);
  if (type === '*/*') expect(headers.get('content-type')).toMatch(/^\w+\/[\w.+-]+/);
  else expect(headers.get('content-type')).toBe(type);
  expect(headers.get('accept-ranges')).toBe(ranges ? 'bytes' : null);
  expect(headers.has('etag')).toBe(ranges === true);
}

interface Sending {
  path?: string;
  key?: string;
  body?: string | Uint8Array<ArrayBuffer>;
}

async function expectRefusal(response: Response, status: number): Promise<string> {
  const body: unknown = await response.json();
  expect(body, JSON.stringify(body)).toMatchObject({ type: 'error' });
  expect(response.status, JSON.stringify(body)).toBe(status);
  const { error, request_id } = errorEnvelope.parse(body);
  expect(request_id).toBe(response.headers.get('request-id'));
  const later = response.headers.get('retry-after');
  if (status === 429 || status === 503) expect(later).toMatch(/^[1-9]/);
  if (status === 409 && later === null) expect(response.headers.get('x-should-retry')).toBe('false');
  return error.message;
}

function fill(route: RouteSpec, value: (name: string) => string): string {
  return route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => value(name));
}
