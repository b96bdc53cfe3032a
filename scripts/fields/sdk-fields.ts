// The fields of the official SDK's types, read off its declarations: one interface, its own members and those it extends.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const RESOURCES = join(import.meta.dirname, '../../node_modules/@anthropic-ai/sdk/resources/beta');
/** What travels in headers. */
const IN_HEADERS = /^(betas|workspace_id|[\w-]+-[\w-]+)$/;

/** Names of the members of `name` in `file` (e.g. `vaults/vaults`), in the order of the declaration. */
export function sdkFields(file: string, name: string): string[] {
  const text = readFileSync(join(RESOURCES, `${file}.d.ts`), 'utf8');
  const start = text.search(new RegExp(`^export interface ${name}\\b`, 'm'));
  if (start < 0) throw new Error(`${file} has no interface ${name}`);
  const body = text.slice(text.indexOf('{', start) + 1, text.indexOf('\n}', start));
  // Members stand at one level of indentation; what is nested stands deeper.
  const members = [...body.matchAll(/^ {4}(?:'([^']+)'|(\w+))\??:/gm)];
  return members.map(([, quoted, plain]) => quoted ?? plain ?? '').filter((field) => !IN_HEADERS.test(field));
}
