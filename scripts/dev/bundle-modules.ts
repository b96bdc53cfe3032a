// The modules of one bundle, as the runtime is given them.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

export type Module = { type: 'ESModule' | 'Text' | 'Data' | 'CompiledWasm'; path: string };
const MODULE_TYPES = new Map<string, Module['type']>([
  ['js', 'ESModule'],
  ['sql', 'Text'],
  ['txt', 'Text'],
  ['html', 'Text'],
  ['bin', 'Data'],
  ['wasm', 'CompiledWasm'],
]);

/** The entry module first, then what it imports; source maps and wrangler's notes are no modules. */
export function modulesIn(dir: string): Module[] {
  const modules = readdirSync(dir).flatMap((file): Module[] => {
    const type = MODULE_TYPES.get(file.slice(file.lastIndexOf('.') + 1));
    return type === undefined ? [] : [{ type, path: join(dir, file) }];
  });
  const isEntry = (module: Module) => module.path === join(dir, 'index.js');
  return [...modules.filter(isEntry), ...modules.filter((module) => !isEntry(module))];
}
