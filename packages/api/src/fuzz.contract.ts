// Bodies made from the schemas of all routes, right and wrong, against a served API: it never fails inside,
// says of every refusal what was wrong, and keeps nothing of what it refused.
import { errorEnvelope } from '@capstan/schema/error';
import type { RouteSpec } from '@capstan/schema/route';
import { ROUTES } from '@capstan/schema/routes';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bodiesOf, type KnownIds } from './testing/bodies.ts';

export interface Fuzzed {
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** A good key. */
  key: string;
  /** What belongs to it, by path parameter and by prefix. */
  ids: KnownIds;
  /** The number of the newest row of each table. */
  rows(): Promise<Record<string, number>>;
  close(): Promise<void>;
}

const taking = ROUTES.filter(({ body, access }) => body !== undefined && access === 'key');

/** `bodies` in all, spread over the routes. */
export function runBodyFuzz(open: () => Promise<Fuzzed>, bodies: number): void {
  const numRuns = Math.ceil(bodies / taking.length);
  let served: Fuzzed;
  beforeAll(async () => {
    served = await open();
  });
  afterAll(() => served.close());

  describe.each(taking.map((route) => [`${route.method} ${route.path}`, route] as const))(
    '%s',
    (_, route) => {
      it('never fails inside, and keeps nothing of what it refuses', async () => {
        const { body } = route;
        if (body === undefined) return;
        const requests = fc.tuple(pathsOf(route, served.ids), bodiesOf(body, served.ids));
        let rows = await served.rows();
        const property = fc.asyncProperty(requests, async ([path, sent]) => {
          const [status, answer] = await send(served, path, sent);
          const now = await served.rows();
          if (status >= 400) expect(now, answer).toEqual(rows);
          rows = now;
        });
        await fc.assert(property, { numRuns });
      }, 300_000);
    },
  );
}

/** A path of the route: mostly of things that exist. */
function pathsOf({ path }: RouteSpec, ids: KnownIds): fc.Arbitrary<string> {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const values = names.map((name) => {
    const known = ids[name];
    if (known === undefined) throw new Error(`no id for ${name}`);
    return fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...known) }, fc.constant('none'));
  });
  return fc.tuple(...values).map((found) => {
    const left = [...found];
    return path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(left.shift() ?? 'none'));
  });
}

/** Its status and text: never a failure of ours, and a refusal says what was wrong. */
async function send({ fetch, key }: Fuzzed, path: string, body: unknown): Promise<[number, string]> {
  const headers = { 'x-api-key': key, 'content-type': 'application/json' };
  const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await response.text();
  expect(response.status, text).toBeLessThan(500);
  if (!response.ok) expect(errorEnvelope.parse(JSON.parse(text)).error.message.length).toBeGreaterThan(5);
  return [response.status, text];
}
