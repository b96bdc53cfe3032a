// `pnpm client` writes packages/client/src/endpoints from the route list, a file per noun; `--check` fails when the
// committed ones differ. The client's types come from the routes themselves, so nothing of them is repeated.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { RouteSpec } from '../packages/schema/src/route.ts';
import { ROUTES } from '../packages/schema/src/routes.ts';

const ROOT = join(import.meta.dirname, '..');
const NOUNS = join(ROOT, 'packages/schema/src');
const OUT = join(ROOT, 'packages/client/src/endpoints');
const HEAD = '// Written by `pnpm client` from the routes of the schema: change those, not this.\n';

interface Noun {
  /** As the file of the schema is called. */
  file: string;
  /** What the schema exports, e.g. `agentRoutes`. */
  exported: string;
  routes: Record<string, RouteSpec>;
}

const wanted = await files();
if (process.argv.includes('--check')) check();
else write();

function write(): void {
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  for (const [name, text] of wanted) writeFileSync(join(OUT, name), text);
}

function check(): void {
  const present = new Map(readdirSync(OUT).map((name) => [name, readFileSync(join(OUT, name), 'utf8')]));
  const names = new Set([...wanted.keys(), ...present.keys()]);
  const stale = [...names].filter((name) => wanted.get(name) !== present.get(name));
  if (stale.length === 0) return;
  console.error(`${stale.join(', ')}: not what the routes say. Run \`pnpm client\` and commit the change.`);
  process.exitCode = 1;
}

async function files(): Promise<Map<string, string>> {
  const nouns = await findNouns();
  const found = nouns.flatMap(({ routes }) => Object.values(routes));
  const lost = ROUTES.filter((route) => !found.includes(route)).map(({ operationId }) => operationId);
  if (lost.length > 0) throw new Error(`no noun of the schema exports ${lost.join(', ')}`);
  return new Map([
    ...nouns.map((noun) => [`${noun.file}.ts`, nounText(noun)] as const),
    ['all.ts', allText(nouns)],
  ]);
}

async function findNouns(): Promise<Noun[]> {
  const nouns: Noun[] = [];
  for (const name of readdirSync(NOUNS)
    .filter((file) => /^[a-z-]+\.ts$/.test(file))
    .toSorted()) {
    const exports: Record<string, unknown> = await import(join(NOUNS, name));
    for (const [exported, routes] of Object.entries(exports)) {
      if (!isRoutes(routes)) continue;
      const served = Object.values(routes).filter((route) => ROUTES.includes(route));
      if (served.length === 0) continue;
      if (served.length < Object.keys(routes).length)
        throw new Error(`${name}: not all of its routes are served`);
      nouns.push({ file: basename(name, '.ts'), exported, routes });
    }
  }
  return nouns;
}

function isRoutes(value: unknown): value is Record<string, RouteSpec> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const routes = Object.values(value);
  return routes.length > 0 && routes.every((route) => Object(route).operationId !== undefined);
}

/** What a route is called through: JSON both ways, bytes to the server, or an answer that is read as it comes. */
function kindOf({ form, raw, stream, lines, bytes }: RouteSpec): 'endpoint' | 'upload' | 'download' {
  if (form || raw) return 'upload';
  return stream || lines || bytes ? 'download' : 'endpoint';
}

function nounText({ file, exported, routes }: Noun): string {
  const kinds = [...new Set(Object.values(routes).map(kindOf))].toSorted();
  const methods = Object.entries(routes).map(
    ([name, route]) =>
      `    /** ${route.summary} */\n` +
      `    ${name}: ${kindOf(route)}<typeof ${exported}.${name}>(transport, '${route.method}', '${route.path}'),`,
  );
  return `${HEAD}import type { ${exported} } from '@capstan/schema/${file}';
import { ${kinds.join(', ')} } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function ${camel(file)}(transport: Transport) {
  return {
${methods.join('\n')}
  };
}
`;
}

function allText(nouns: Noun[]): string {
  const imports = nouns.map(({ file }) => `import { ${camel(file)} } from './${file}.ts';`);
  const members = nouns.map(({ file }) => `    ${camel(file)}: ${camel(file)}(transport),`);
  return `${HEAD}import type { Transport } from '../transport.ts';
${imports.join('\n')}

export function endpoints(transport: Transport) {
  return {
${members.join('\n')}
  };
}
`;
}

function camel(file: string): string {
  return file.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
