// Files for people, in a sandbox of the emulator.
import type { ModalSandboxes } from '@capstan/sandbox/modal';
import { type LocalSandbox, openLocalSandbox } from '@capstan/sandbox/testing/local-sandbox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { archiveSandboxFiles, readSandboxFile, writeSandboxFile } from './sandbox-files.ts';

let local: LocalSandbox;
let sandboxes: ModalSandboxes;
let sandboxId: string;

beforeAll(async () => {
  local = await openLocalSandbox('people');
  ({ sandboxes, sandboxId } = local);
});
afterAll(() => local.close());

const sh = async (command: string) =>
  new TextDecoder().decode((await sandboxes.exec({ sandboxId, command })).stdout);
const at = (path: string) => ({ sandboxes, sandboxId, path });

it('an archive that cannot be made says which file is in its way, and is not left half done', async () => {
  await sh(
    'mkdir -p /workspace/some && cd /workspace/some && echo a > a && echo b > "b c" && chmod 000 "b c"',
  );
  await expect(archiveSandboxFiles(at('/workspace/some'))).rejects.toMatchObject({
    code: 'invalid_request',
    message: 'path: /workspace/some could not be done: tar: ./b c: Cannot open: Permission denied',
  });
  expect(await sh('ls -A /tmp')).toBe('');
});

it('a large file with the longest of names is written in pieces, and leaves none', async () => {
  const name = `${'ü'.repeat(127)}x`;
  const bytes = new Uint8Array(9_000_000).map((_, index) => index % 251);
  expect(await writeSandboxFile(at(`/workspace/long/${name}`), new Blob([bytes]).stream())).toBe(
    bytes.length,
  );
  const read = await new Response(await readSandboxFile(at(`/workspace/long/${name}`))).arrayBuffer();
  expect(Buffer.compare(new Uint8Array(read), bytes)).toBe(0);
  expect(await sh('ls -A /workspace/long')).toBe(`${name}\n`);
});

it('a name that no file can have is refused by name', async () => {
  const path = `/workspace/${'n'.repeat(256)}`;
  await expect(writeSandboxFile(at(path), new Blob(['x']).stream())).rejects.toMatchObject({
    code: 'invalid_request',
    message: 'path: has a name of more than 255 bytes',
  });
});
