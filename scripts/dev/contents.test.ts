import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openContents, sweepContents } from './contents.ts';

it('keeps contents, and removes what was never finished', () => {
  const dir = mkdtempSync(join(tmpdir(), 'capstan-contents-'));
  const path = join(dir, 'contents');
  expect(openContents(path)).toBe(path);
  mkdirSync(join(path, 't/tnt_one/files'), { recursive: true });
  const names = ['file_1', '.file_2.21573.5.tmp', '.hidden', 'file.tmp'];
  for (const name of names) writeFileSync(join(path, 't/tnt_one/files', name), 'x');
  sweepContents(path, Date.now() - 60_000);
  expect(readdirSync(join(path, 't/tnt_one/files'))).toHaveLength(names.length);
  openContents(path);
  expect(readdirSync(join(path, 't/tnt_one/files')).sort()).toEqual(['.hidden', 'file.tmp', 'file_1']);
  rmSync(dir, { recursive: true });
});
