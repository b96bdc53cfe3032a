// Tokens given to sandboxes to which happens what a test says.
import { createLogger } from '@capstan/shared/logger';
import { beforeEach, describe, expect, it } from 'vitest';
import { ScriptedSandboxes } from '../testing/scripted-sandboxes.ts';
import { giveTokens } from './repository-tokens.ts';
import type { Mountable } from './session-files.ts';
import { MemoryFiles } from './testing.ts';

const SETTINGS = '/etc/capstan/repositories.gitconfig';

let world: ScriptedSandboxes;
let files: MemoryFiles;
let kept: Record<string, string>[];
let lines: string[];
let sandboxId: string;

beforeEach(async () => {
  world = new ScriptedSandboxes();
  files = new MemoryFiles();
  [kept, lines] = [[], []];
  ({ sandboxId } = await world.port().create({ name: 'session-1', credentials: [] }));
});

const repository = (id: string, url = `https://git.test:8443/owner/${id}`, hasToken = true): Mountable => ({
  ...{ type: 'github_repository', id, url, hasToken },
  ...{ mountPath: `/workspace/${id}`, checkout: null },
});

function give(resources: Mountable[], placeholders: Record<string, string> = kept.at(-1) ?? {}) {
  const port = world.port();
  const logger = createLogger((line) => lines.push(line));
  const keep = (next: Record<string, string>) => {
    expect(world.asked).not.toContain('setCredentials');
    kept.push(next);
  };
  world.asked = [];
  return giveTokens({ sandboxes: () => port, files, logger }, { sandboxId, resources, placeholders, keep });
}

describe('tokens of repositories', () => {
  it('are credentials of their own hosts, in headers alone, under placeholders recorded before', async () => {
    files.tokens.set('one', 'ghp_one').set('two', 'ghp_two');
    const uses = await give([repository('one'), repository('two', 'https://github.com/owner/two')]);
    const [{ one, two } = {}] = kept;
    expect(uses).toEqual(
      new Map([
        ['one', { placeholder: one }],
        ['two', { placeholder: two }],
      ]),
    );
    const locations = { header: true, query: false, body: false };
    expect(world.credentials.get(sandboxId)).toEqual([
      { id: 'one', placeholder: one, secret: 'ghp_one', hosts: ['git.test:8443'], locations },
      { id: 'two', placeholder: two, secret: 'ghp_two', hosts: ['github.com'], locations },
    ]);
    expect(world.read(SETTINGS)).toContain(btoa(`x-access-token:${one}`));
    expect(world.read(SETTINGS)).not.toMatch(/ghp_/);
  });

  it('keep their placeholders when they change, and are taken away with their repositories', async () => {
    files.tokens.set('one', 'ghp_one');
    await give([repository('one')]);
    files.tokens.set('one', 'ghp_other');
    await give([repository('one')]);
    expect(kept[1]).toEqual(kept[0]);
    expect(world.credentials.get(sandboxId)).toMatchObject([{ secret: 'ghp_other' }]);
    expect(await give([])).toEqual(new Map());
    expect([world.credentials.get(sandboxId), kept.at(-1), world.read(SETTINGS)]).toEqual([[], {}, '']);
  });

  it('cost nothing where there are none', async () => {
    await give([repository('one', 'https://github.com/owner/one', false)]);
    expect(world.asked).toEqual([]);
  });

  it('are not given to a sandbox that was not made ready for them', async () => {
    files.tokens.set('one', 'ghp_one');
    world.exitCode = 1;
    const uses = await give([repository('one')]);
    expect(uses.get('one')).toEqual({ unused: expect.stringContaining('before there was one') });
    expect([world.credentials.get(sandboxId), kept]).toEqual([[], [{}]]);
  });

  it('are not given where there is no egress proxy, which is said', async () => {
    files.tokens.set('one', 'ghp_one');
    world.proxied = false;
    expect((await give([repository('one')])).get('one')).toEqual({
      unused: 'this server has no egress proxy to give it through',
    });
    expect(world.read(SETTINGS)).toBe('');
  });

  it('that cannot be opened are named with what mends it, and take none of the others with them', async () => {
    files.tokens.set('two', 'ghp_two');
    const token = files.token.bind(files);
    files.token = (id) => (id === 'one' ? Promise.reject(new TypeError('sealed elsewhere')) : token(id));
    const uses = await give([repository('one'), repository('two')]);
    expect(uses.get('one')).toEqual({ unused: expect.stringContaining('PLATFORM_ROOT_SECRET') });
    expect(uses.get('two')).toEqual({ placeholder: kept[0]?.two });
    expect(world.credentials.get(sandboxId)).toHaveLength(1);
  });

  it('fail no call when the proxy refuses them, and the sandbox itself does when it is gone', async () => {
    files.tokens.set('one', 'ghp_one');
    world.fails.set('setCredentials', 'invalid');
    expect((await give([repository('one')])).get('one')).toHaveProperty('unused');
    world.fails.set('setCredentials', 'gone');
    await expect(give([repository('one')])).rejects.toMatchObject({ code: 'gone' });
    expect(lines.join()).not.toMatch(/ghp_/);
  });
});
