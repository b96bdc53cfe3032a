import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModalSandboxes } from '../modal.ts';
import { type LocalSandbox, openLocalSandbox } from '../testing/local-sandbox.ts';
import { toPrintable } from './command.ts';
import { installArgv, NEEDED } from './scripts.ts';

const FILE = { path: '/etc/capstan/given/file', content: Buffer.from([0, 1, 2, 200, 255, 37, 92, 110]) };

let local: LocalSandbox;
let sandboxes: ModalSandboxes;
let sandboxId: string;

beforeAll(async () => {
  local = await openLocalSandbox('scripts', { files: [FILE] });
  ({ sandboxes, sandboxId } = local);
});
afterAll(() => local.close());

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const sh = async (command: string) => text((await sandboxes.exec({ sandboxId, command })).stdout);
const modes = () =>
  sh(
    'stat -c "%a %n" /var/tmp/.capstan{,/runs,/shells} /workspace /mnt/session{,/outputs,/uploads} /etc/capstan{,/given}',
  );
const MODES = `700 /var/tmp/.capstan
700 /var/tmp/.capstan/runs
700 /var/tmp/.capstan/shells
755 /workspace
755 /mnt/session
755 /mnt/session/outputs
755 /mnt/session/uploads
755 /etc/capstan
755 /etc/capstan/given
`;
const install = async () => {
  const command = installArgv([FILE.path, toPrintable(FILE.content)]);
  return text((await sandboxes.exec({ sandboxId, command, cwd: '/' })).stdout);
};
const given = async () => Buffer.from((await sandboxes.readFile({ sandboxId, path: FILE.path })).bytes);

describe('what a sandbox is given', () => {
  it('is there when it has been made: directories, the state for itself alone, and files', async () => {
    expect(await modes()).toBe(MODES);
    expect(await given()).toEqual(FILE.content);
  });

  it('has its permissions from the first moment: one program makes all of it', async () => {
    await sh('rm -rf /var/tmp/.capstan /mnt/session /etc/capstan; mkdir /only; ln -s /bin/mkdir /only');
    // The others have to be there, and are not asked.
    await sh(`for program in ${NEEDED}; do [[ -e /only/$program ]] || ln -s /bin/false /only/$program; done`);
    const command = ['/usr/bin/env', 'PATH=/only', `/bin/${installArgv([])[0]}`];
    const argv = [...command, ...installArgv([FILE.path, toPrintable(FILE.content)]).slice(1)];
    const { stdout } = await sandboxes.exec({ sandboxId, command: argv, cwd: '/' });
    expect(text(stdout)).toBe('installed\n');
    expect(await modes()).toBe(MODES);
    expect(await given()).toEqual(FILE.content);
  });

  it('is made whole by whoever comes again: what is open to others, what is half there', async () => {
    await sh(`chmod 777 /var/tmp/.capstan; rmdir /mnt/session/outputs; echo half >${FILE.path}`);
    const inode = await sh(`stat -c %i ${FILE.path}`);
    expect(await install()).toBe('installed\n');
    expect(await sh(`stat -c %i ${FILE.path}`)).not.toBe(inode);
    expect(await Promise.all(Array.from({ length: 5 }, install))).toEqual(Array(5).fill('installed\n'));
    expect(await modes()).toBe(MODES);
    expect(await given()).toEqual(FILE.content);
    expect(await sh('ls -A /etc/capstan/given')).toBe('file\n');
  });

  it('is kept from others by a run too, that finds no place for itself', async () => {
    await sh('rm -rf /var/tmp/.capstan');
    const run = { sandboxId, runId: 'first', command: 'echo ran', timeoutMs: 10_000, waitMs: 10_000 };
    expect(text((await sandboxes.startRun(run)).bytes)).toBe('ran\n');
    expect(await modes()).toBe(MODES);
  });

  it('does not come half', async () => {
    await sh('rm -rf /mnt/session && touch /mnt/session');
    expect(await install()).toBe('');
    await sh('rm /mnt/session');
    expect(await install()).toBe('installed\n');
  });
});
