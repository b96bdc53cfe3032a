// `pnpm fields`: of each resource, which fields of the official SDK are accepted, read and returned here.
// With `--check` it fails when one is missing, and when one is accepted that no statement behind the schema names.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RouteSpec } from '../packages/schema/src/route.ts';
import { RESOURCES, type Resource } from './fields/resources.ts';
import { sdkFields } from './fields/sdk-fields.ts';

type Schema = RouteSpec['response'];

const ROOT = join(import.meta.dirname, '..');
/** Where what was accepted is read: everything behind the schema. */
const READERS = [
  'packages/api/src',
  'packages/db/src',
  'packages/session/src',
  'packages/harness/src',
  'apps/agent/src',
];

interface Field {
  name: string;
  type: string;
  state: 'served' | 'missing' | 'unread';
}

const source = READERS.map((folder) => textBelow(join(ROOT, folder))).join('\n');
let wrong = 0;
for (const resource of RESOURCES) {
  const fields = [...accepted(resource), ...returned(resource)];
  const bad = fields.filter(({ state }) => state !== 'served');
  wrong += bad.length;
  console.log(`${resource.name}: ${fields.length - bad.length} of ${fields.length} fields are served`);
  for (const { name, type, state } of bad) console.log(`  ${state}: ${type}.${name}`);
}
if (process.argv.includes('--check') && wrong > 0) process.exitCode = 1;

function accepted({ file, requests }: Resource): Field[] {
  return requests.flatMap(({ route, type }) => {
    const takes = namesOf(route);
    return sdkFields(file, type).map((name): Field => {
      if (!takes.has(name)) return { name, type, state: 'missing' };
      return { name, type, state: isRead(name) ? 'served' : 'unread' };
    });
  });
}

function returned({ file, answer }: Resource): Field[] {
  const gives = namesWithin(answer.route.response);
  return sdkFields(file, answer.type).map((name): Field => {
    return { name, type: answer.type, state: gives.has(name) ? 'served' : 'missing' };
  });
}

/** Everything that a route takes, wherever in the request. */
function namesOf({ params, query, body, form }: RouteSpec): Set<string> {
  const parts = [params, query, body, form].filter((part) => part !== undefined);
  const names = parts.flatMap((part) => [...namesWithin(part)]);
  // Bounds are written `created_at[gte]`, and lists `files[]`.
  return new Set(names.flatMap((name) => [name, name.replace(/\[\w*\]$/, '')]));
}

/** The members of an object, or of each object in a union. */
function namesWithin(schema: Schema): Set<string> {
  const { def } = schema._zod;
  if ('shape' in def && typeof def.shape === 'object' && def.shape !== null)
    return new Set(Object.keys(def.shape));
  const inner = ['innerType', 'in', 'out'].map((key) => Reflect.get(def, key));
  const options: unknown = Reflect.get(def, 'options');
  const all = [...inner, ...(Array.isArray(options) ? options : [])];
  return new Set(all.filter(isSchema).flatMap((one) => [...namesWithin(one)]));
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && '_zod' in value;
}

/** In some statement of ours, under its own name. */
function isRead(name: string): boolean {
  const text = name.replaceAll(/[[\]]/g, '\\$&');
  return new RegExp(`(?<!\\w)${text}(?!\\w)`).test(source);
}

function textBelow(folder: string): string {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.ts') && !/\.(test|contract)\.ts$/.test(name));
  return files.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n');
}
