// The tests that documents name: every guarantee names one, and each of them exists. A document that names a proof which is
// not there is worse than none.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Breach } from './source-rules.ts';

/** Where files without a folder stand, by document. */
const HOMES = { 'docs/engine.md': 'packages/session/src', 'docs/streams.md': '.' };

/** `files`: all there are, from `root` on. */
export function findUnproved(root: string, files: readonly string[]): Breach[] {
  const known = new Set(files);
  return Object.entries(HOMES).flatMap(([document, home]) => {
    const lines = readFileSync(join(root, document), 'utf8').split('\n');
    let guarantees = false;
    return lines.flatMap((text, index): Breach[] => {
      const begins = /^\| Guarantee +\|/.test(text);
      guarantees = text.startsWith('|') && (guarantees || begins);
      const named = [...text.matchAll(/`([\w./-]+\.(?:test|contract)\.ts)`/g)].map(([, name = '']) => name);
      const missing = named.filter((name) => !known.has(name) && !known.has(`${home}/${name}`));
      const isRow = guarantees && !begins && !/^\|[ -]+\|/.test(text);
      const rules = missing.map((name) => `names a test that is not there: ${name}`);
      if (isRow && named.length === 0) rules.push('a guarantee names the test that proves it');
      return rules.map((rule) => ({ file: document, line: index + 1, rule }));
    });
  });
}
