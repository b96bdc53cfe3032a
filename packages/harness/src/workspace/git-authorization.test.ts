import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { gitSettings, gitVariables } from './git-authorization.ts';

const dir = mkdtempSync(join(tmpdir(), 'capstan-git-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const own = { url: 'https://git.test/owner/name.git', placeholder: 'capstan_ph_one' };
const HEADER = `Authorization: Basic ${btoa('x-access-token:capstan_ph_one')}`;

/** The headers git sends with what it asks of that url. */
function headersFor(url: string, { settings = '', env = {} }): string {
  const global = join(dir, 'config');
  writeFileSync(global, settings);
  const surroundings = {
    PATH: process.env.PATH,
    GIT_CONFIG_GLOBAL: global,
    GIT_CONFIG_NOSYSTEM: '1',
    ...env,
  };
  const args = ['-C', dir, 'config', '--get-urlmatch', 'http.extraHeader', url];
  try {
    return execFileSync('git', args, { env: surroundings, stdio: 'pipe' }).toString().trim();
  } catch {
    return '';
  }
}

describe.each([
  ['settings', { settings: gitSettings([own]) }],
  ['variables', { env: gitVariables(own) }],
] as const)('git with %s', (_, told) => {
  it.each([
    'https://git.test/owner/name',
    'https://git.test/owner/name.git',
    'https://git.test/owner/name.git/info/refs',
  ])('sends the placeholder to %s', (url) => {
    expect(headersFor(url, told)).toBe(HEADER);
  });

  it.each([
    'https://git.test/owner/name-2',
    'https://git.test/owner',
    'https://other.test/owner/name.git',
    'https://git.test:8443/owner/name.git',
    'http://git.test/owner/name.git',
  ])('sends nothing to %s', (url) => {
    expect(headersFor(url, told)).toBe('');
  });
});

describe('settings', () => {
  it('of several repositories stand beside each other', () => {
    const other = { url: 'https://git.test/owner/other/', placeholder: 'capstan_ph_two' };
    const settings = gitSettings([own, other]);
    expect(headersFor(own.url, { settings })).toBe(HEADER);
    expect(headersFor('https://git.test/owner/other', { settings })).toContain(
      btoa('x-access-token:capstan_ph_two'),
    );
  });

  it('of none are an empty file', () => {
    expect(gitSettings([])).toBe('');
  });
});
