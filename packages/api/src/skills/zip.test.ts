import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type ArchivedFile, zipArchive } from './zip-archive.ts';
import { zipEntries } from './zip-entries.ts';

const encoder = new TextEncoder();

async function archiveOf(files: readonly ArchivedFile[]): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  for await (const piece of zipArchive(files)) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}

const file = (path: string, text: string | Uint8Array): ArchivedFile => ({
  path,
  read: async () => (typeof text === 'string' ? encoder.encode(text) : text),
});

/** Python's archive of a program's making: other software than ours. */
function madeByPython(program: string): Uint8Array<ArrayBuffer> {
  const script = `import zipfile, io, sys, stat\nb = io.BytesIO()\nz = zipfile.ZipFile(b, 'w', zipfile.ZIP_DEFLATED)\n${program}\nz.close()\nsys.stdout.buffer.write(b.getvalue())`;
  return new Uint8Array(execFileSync('python3', ['-c', script], { maxBuffer: 1 << 26 }));
}

const refusal = (message: RegExp) => ({ code: 'invalid_request', message: expect.stringMatching(message) });
const readAll = (bytes: Uint8Array<ArrayBuffer>) =>
  Promise.all(
    zipEntries(bytes, 100).map(async ({ path, read }) => [path, Buffer.from(await read()).toString()]),
  );

/** With the bytes at these places replaced. */
function altered(bytes: Uint8Array<ArrayBuffer>, changes: [number, number][]) {
  const copy = bytes.slice();
  for (const [at, byte] of changes) copy[at] = byte;
  return copy;
}

describe('an archive that is written', () => {
  it('is the same for the same files, and read by others', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'capstan-zip-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const files = [
      file('pdf/SKILL.md', '# ü'),
      file('pdf/scripts/run', '#!/bin/sh\necho hi\n'),
      file('pdf/dir/naïve ü.txt', ''),
      file('pdf/tool', new Uint8Array([0x7f, 0x45, 0x4c, 0x46])),
    ];
    const bytes = await archiveOf(files);
    expect(Buffer.from(await archiveOf(files)).equals(bytes)).toBe(true);
    writeFileSync(join(dir, 'a.zip'), bytes);
    const program = `import zipfile, sys
z = zipfile.ZipFile(sys.argv[1])
print(z.testzip())
for i in z.infolist(): print(i.filename, oct(i.external_attr >> 16), z.read(i).decode().replace(chr(10), '|'))`;
    const said = execFileSync('python3', ['-c', program, join(dir, 'a.zip')], { encoding: 'utf8' });
    expect(said.trimEnd().split('\n')).toEqual([
      'None',
      'pdf/SKILL.md 0o100644 # ü',
      'pdf/scripts/run 0o100755 #!/bin/sh|echo hi|',
      'pdf/dir/naïve ü.txt 0o100644 ',
      'pdf/tool 0o100755 \x7fELF',
    ]);
  });

  it('is read back as it was', async () => {
    const path = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !text.endsWith('/'));
    const files = fc.array(fc.record({ path, content: fc.uint8Array() }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(files, async (given) => {
        const bytes = await archiveOf(given.map(({ path, content }) => file(path, content)));
        const entries = zipEntries(bytes, 100);
        const found = await Promise.all(
          entries.map(async ({ path, read }) => [path, Buffer.from(await read()).toString('latin1')]),
        );
        expect(found).toEqual(
          given.map(({ path, content }) => [path, Buffer.from(content).toString('latin1')]),
        );
      }),
    );
  });
});

describe('an archive that somebody sent', () => {
  it('is read as others write it', async () => {
    const bytes = madeByPython(`z.writestr('a/SKILL.md', 'hello ' * 1000)
z.writestr(zipfile.ZipInfo('a/empty/'), '')
z.writestr('a/ü', b'')
i = zipfile.ZipInfo('a/run'); i.external_attr = 0o100755 << 16; z.writestr(i, 'x')`);
    expect(await readAll(bytes)).toEqual([
      ['a/SKILL.md', 'hello '.repeat(1000)],
      ['a/empty/', ''],
      ['a/ü', ''],
      ['a/run', 'x'],
    ]);
    expect(zipEntries(bytes, 100).map(({ directory }) => directory)).toEqual([false, true, false, false]);
  });

  it('has no links, no special files and nothing encrypted', async () => {
    const link = `i = zipfile.ZipInfo('a/link'); i.create_system = 3; i.external_attr = (stat.S_IFLNK | 0o777) << 16; z.writestr(i, '/etc/passwd')`;
    expect(() => zipEntries(madeByPython(link), 100)).toThrow(/"a\/link" is a link or a special file/);
    const pipe = `i = zipfile.ZipInfo('a/pipe'); i.create_system = 0; i.external_attr = stat.S_IFIFO << 16; z.writestr(i, '')`;
    expect(() => zipEntries(madeByPython(pipe), 100)).toThrow(/"a\/pipe" is a link or a special file/);
    const bytes = await archiveOf([file('a', 'x')]);
    const listed = bytes.length - 22 - 47;
    expect(() => zipEntries(altered(bytes, [[listed + 8, 1]]), 100)).toThrow(/"a" is encrypted/);
    expect(() => zipEntries(altered(bytes, [[listed + 10, 12]]), 100)).toThrow(/packed by method 12/);
  });

  it('does not make much of little', async () => {
    const bomb = madeByPython(`z.writestr('a/bomb', b'\\0' * 1_000_000)`);
    // It says that it is small.
    const listed = bomb.length - 22 - 52;
    const view = new DataView(bomb.buffer, bomb.byteOffset);
    view.setUint32(listed + 24, 10, true);
    await expect(zipEntries(bomb, 100)[0]?.read()).rejects.toMatchObject(
      refusal(/longer than the directory says/),
    );
    // Two entries over the same bytes.
    const two = await archiveOf([file('a', 'x'), file('b', 'x')]);
    const second = two.length - 22 - 47;
    expect(() => zipEntries(altered(two, [[second + 42, 0]]), 100)).toThrow(/"b" is called something else/);
    const same = await archiveOf([file('a', 'x'), file('a', 'x')]);
    expect(() => zipEntries(altered(same, [[second + 42, 0]]), 100)).toThrow(/"a" lies over another entry/);
    expect(() => zipEntries(bomb, 0)).toThrow(/has 1 entries; at most 0/);
  });

  it('says one thing only: damaged and padded ones are refused', async () => {
    const bytes = await archiveOf([file('a/b', 'content'), file('a/c', 'more')]);
    const padded = (before: number, after: number) =>
      new Uint8Array(Buffer.concat([new Uint8Array(before), bytes, new Uint8Array(after)]));
    expect(() => zipEntries(padded(3, 0), 100)).toThrow(/something before it/);
    expect(() => zipEntries(padded(0, 3), 100)).toThrow(/cut short, or no zip/);
    await expect(readAll(altered(bytes, [[34, 0x21]]))).rejects.toMatchObject(refusal(/"a\/b" is damaged/));
    for (let length = 0; length < bytes.length; length++)
      expect(() => zipEntries(bytes.slice(0, length), 100)).toThrow(/files: /);
  });

  it('is read or refused, whatever byte of it is another', async () => {
    const content = deflateRawSync('hello hello hello');
    const bytes = madeByPython(`z.writestr('a/b', 'hello hello hello'); z.writestr('a/c', '')`);
    expect(content.length).toBeLessThan(17);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        async (changes) => {
          const outcome = await Promise.resolve()
            .then(() => readAll(altered(bytes, changes)))
            .catch((error: unknown) => error);
          if (!Array.isArray(outcome)) expect(outcome).toMatchObject({ code: 'invalid_request' });
        },
      ),
      { numRuns: 400 },
    );
  });
});
