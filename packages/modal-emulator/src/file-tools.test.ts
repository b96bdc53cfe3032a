import {
  type Sandbox,
  SandboxFilesystemDirectoryNotEmptyError,
  SandboxFilesystemIsADirectoryError,
  SandboxFilesystemNotADirectoryError,
  SandboxFilesystemNotFoundError,
  SandboxFilesystemPathAlreadyExistsError,
  SandboxFilesystemPermissionError,
} from 'modal';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseFileOperation } from './file-tools.ts';
import { bash, startTestEmulator, type TestEmulator } from './testing.ts';

let world: TestEmulator;
let sandbox: Sandbox;

beforeAll(async () => {
  world = await startTestEmulator();
  sandbox = await world.create();
});
afterAll(() => world.stop());

describe('the files of a sandbox', { timeout: 60_000 }, () => {
  it('hold what was written, with missing directories made', async () => {
    const { filesystem } = sandbox;
    await filesystem.writeText("häl'lo\n", "/tmp/a/b/it's $x.txt");
    expect(await filesystem.readText("/tmp/a/b/it's $x.txt")).toBe("häl'lo\n");
    await filesystem.writeText('shorter', "/tmp/a/b/it's $x.txt");
    expect(await filesystem.readText("/tmp/a/b/it's $x.txt")).toBe('shorter');
    await filesystem.writeText('', '/tmp/empty');
    expect(await filesystem.readText('/tmp/empty')).toBe('');
    const bytes = new Uint8Array(700_000).map((_, index) => index % 251);
    await filesystem.writeBytes(bytes, '/tmp/bytes');
    expect(Buffer.compare(await filesystem.readBytes('/tmp/bytes'), bytes)).toBe(0);
  });

  it('are the files commands see', async () => {
    await bash(sandbox, 'echo -n from-bash >/root/x');
    expect(await sandbox.filesystem.readText('/root/x')).toBe('from-bash');
  });

  it('are listed by name with type, size, mode, owner and link target', async () => {
    await bash(
      sandbox,
      'mkdir -p /tmp/l/dir; cd /tmp/l; printf 12345 >"two\nlines"; ln -s /nowhere link; chmod 640 two*',
    );
    const entries = await sandbox.filesystem.listFiles('/tmp/l');
    expect(entries.map(({ name, type }) => [name, type])).toEqual([
      ['dir', 'directory'],
      ['link', 'symlink'],
      ['two\nlines', 'file'],
    ]);
    expect(entries[2]).toMatchObject({
      path: '/tmp/l/two\nlines',
      size: 5,
      permissions: '0640',
      owner: 'root',
    });
    expect(entries[1]?.symlinkTarget).toBe('/nowhere');
    expect((await sandbox.filesystem.stat('/tmp/l/link')).type).toBe('symlink');
    expect((await sandbox.filesystem.stat('/tmp/l/dir')).mode & 0o170000).toBe(0o040000);
    expect(await sandbox.filesystem.listFiles('/srv')).toEqual([]);
  });

  it('are listed up to a limit, and beyond it the listing is refused', async () => {
    const name = 'n'.repeat(230);
    await bash(sandbox, `mkdir /tmp/many; cd /tmp/many; printf '${name}%d\\n' {1..35000} | xargs touch`);
    await expect(sandbox.filesystem.listFiles('/tmp/many')).rejects.toThrow(/More entries than/);
    await bash(sandbox, 'rm -r /tmp/many');
  });

  it('are made and removed', async () => {
    const { filesystem } = sandbox;
    await filesystem.makeDirectory('/tmp/m/n');
    await filesystem.makeDirectory('/tmp/m/n');
    await filesystem.writeText('x', '/tmp/m/n/f');
    await expect(filesystem.remove('/tmp/m')).rejects.toThrow(SandboxFilesystemDirectoryNotEmptyError);
    await filesystem.remove('/tmp/m/n/f');
    await filesystem.remove('/tmp/m', { recursive: true });
    await expect(filesystem.stat('/tmp/m')).rejects.toThrow(SandboxFilesystemNotFoundError);
  });

  it('answer every mistake with its own error', async () => {
    const { filesystem } = sandbox;
    await filesystem.writeText('x', '/tmp/file');
    await filesystem.makeDirectory('/tmp/folder');
    await expect(filesystem.readText('/tmp/none')).rejects.toThrow(SandboxFilesystemNotFoundError);
    await expect(filesystem.readText('/tmp/folder')).rejects.toThrow(SandboxFilesystemIsADirectoryError);
    await expect(filesystem.writeText('x', '/tmp/folder')).rejects.toThrow(
      SandboxFilesystemIsADirectoryError,
    );
    await expect(filesystem.writeText('x', '/tmp/file/x')).rejects.toThrow(
      SandboxFilesystemNotADirectoryError,
    );
    await expect(filesystem.writeText('x', '/__modal/x')).rejects.toThrow(SandboxFilesystemPermissionError);
    await expect(filesystem.listFiles('/tmp/file')).rejects.toThrow(SandboxFilesystemNotADirectoryError);
    await expect(filesystem.listFiles('/tmp/none')).rejects.toThrow(SandboxFilesystemNotFoundError);
    await expect(filesystem.stat('/tmp/file/x')).rejects.toThrow(SandboxFilesystemNotADirectoryError);
    await expect(filesystem.remove('/tmp/none')).rejects.toThrow(SandboxFilesystemNotFoundError);
    await expect(filesystem.makeDirectory('/tmp/file')).rejects.toThrow(
      SandboxFilesystemPathAlreadyExistsError,
    );
    await expect(filesystem.makeDirectory('/tmp/folder', { createParents: false })).rejects.toThrow(
      SandboxFilesystemPathAlreadyExistsError,
    );
    await expect(filesystem.makeDirectory('/tmp/no/x', { createParents: false })).rejects.toThrow(
      SandboxFilesystemNotFoundError,
    );
  });
});

describe('parseFileOperation', { timeout: 30_000 }, () => {
  it('knows nothing but the operations of the file tools', () => {
    for (const json of [
      '',
      'null',
      '[]',
      '{}',
      '{"Exec":{"path":"/"}}',
      '{"Stat":{}}',
      '{"Stat":{"path":"\\u0000"}}',
      '{"toString":{"path":"/"}}',
    ])
      expect([json, parseFileOperation(json)]).toEqual([json, undefined]);
  });
});
