import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type SandboxWorld, startSandboxWorld } from '../tools/testing.ts';
import { inBatches, parseTogether, readTogether } from './output-read.ts';
import { type FoundOutput, scanOutputs } from './output-scan.ts';

const found = (path: string, sizeBytes: number, modified = '1.5'): FoundOutput => ({
  ...{ path, sizeBytes, signature: `${sizeBytes} ${modified}`, ageMs: 1_000 },
});

describe('an answer about many', () => {
  /** As the sandbox gives it: a NUL behind each part. */
  const answerOf = (files: readonly { output: FoundOutput; content: Uint8Array }[]) => {
    const contents = files.map(({ output, content }) => {
      const ended = content.length === 0 || content.at(-1) === 0;
      const said = ended ? content : Buffer.concat([content, Buffer.of(0)]);
      return Buffer.concat([Buffer.from(`${said.length} ./${output.path}\0`), said]);
    });
    const rows = files.map(({ output }) => `${output.signature} ./${output.path}\0`);
    return Buffer.concat([...contents, Buffer.from(`\0${rows.join('')}`)]);
  };
  const texts = (read: Map<FoundOutput, Uint8Array>) =>
    new Map([...read].map(([{ path }, content]) => [path, Buffer.from(content).toString('latin1')]));

  const path = fc
    .string({ minLength: 1, maxLength: 20, unit: 'grapheme' })
    .filter((text) => !text.includes('\0'));
  const content = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.array(fc.constantFrom(0, 10, 32, 48, 49), { maxLength: 12 }).map((bytes) => Uint8Array.from(bytes)),
    // What the answer itself is made of.
    fc.constantFrom('3 ./a\0', '\0', '1 1.5 ./a\0').map((text) => Buffer.from(text)),
  );
  const files = fc
    .uniqueArray(fc.record({ path, content }), { maxLength: 8, selector: (file) => file.path })
    .map((all) => all.map((file) => ({ ...file, output: found(file.path, file.content.length) })));

  it('gives each content as it was, whatever names and contents hold', () => {
    fc.assert(
      fc.property(files, (all) => {
        const read = parseTogether(
          answerOf(all),
          all.map(({ output }) => output),
        );
        expect(texts(read)).toEqual(
          new Map(all.map((file) => [file.path, Buffer.from(file.content).toString('latin1')])),
        );
      }),
    );
  });

  it('that does not say that a file is what was found gives nothing of it', () => {
    fc.assert(
      fc.property(files, fc.nat(), fc.boolean(), (all, choice, larger) => {
        const changed = all[choice % Math.max(all.length, 1)];
        const outputs = all.map((file) =>
          file !== changed ? file.output : found(file.path, file.content.length + (larger ? 1 : 0), '1.6'),
        );
        const others = all.filter((file) => file !== changed).map((file) => file.path);
        expect([...texts(parseTogether(answerOf(all), outputs)).keys()]).toEqual(others);
      }),
    );
  });

  it('that breaks off before it has named all of them gives only what it named', () => {
    fc.assert(
      fc.property(files, fc.nat(), (all, length) => {
        const answer = answerOf(all);
        const read = texts(
          parseTogether(
            answer.subarray(0, length % answer.length),
            all.map(({ output }) => output),
          ),
        );
        for (const file of all)
          expect([undefined, Buffer.from(file.content).toString('latin1')]).toContain(read.get(file.path));
        if (all.length > 0) expect(read.size).toBeLessThan(all.length);
      }),
    );
  });

  it('that is anything at all is taken for nothing', () => {
    const word = fc.constantFrom('1', '0', ' ', './a', '\0', '1 1.5 ./a\0', '9'.repeat(400), '\n', 'é');
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.array(word, { maxLength: 12 }).map((words) => Buffer.from(words.join(''))),
    );
    fc.assert(
      fc.property(anything, (answer) => {
        const one = found('a', 1);
        for (const [output, bytes] of parseTogether(answer, [one]))
          expect([output, bytes.length]).toEqual([one, 1]);
      }),
    );
  });
});

it('batches hold each once, in few calls, and what is large alone', () => {
  const output = fc.record({
    path: fc.string({ minLength: 1, maxLength: 5_000, unit: 'grapheme' }),
    sizeBytes: fc.oneof(fc.nat(100), fc.nat(64 * 1024), fc.nat(200_000)),
  });
  fc.assert(
    fc.property(fc.array(output, { maxLength: 300 }), (all) => {
      const outputs = all.map(({ path, sizeBytes }) => found(path, sizeBytes));
      const batches = inBatches(outputs);
      expect(new Set(batches.flat())).toEqual(new Set(outputs));
      expect(batches.flat()).toHaveLength(outputs.length);
      for (const batch of batches.filter(({ length }) => length > 1)) {
        expect(batch.length).toBeLessThanOrEqual(100);
        expect(Math.max(...batch.map(({ sizeBytes }) => sizeBytes))).toBeLessThanOrEqual(64 * 1024);
        expect(batch.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)).toBeLessThanOrEqual(1024 * 1024);
        expect(Buffer.byteLength(batch.map(({ path }) => path).join(''))).toBeLessThanOrEqual(24_000);
      }
    }),
    { numRuns: 30 },
  );
});

describe('in a sandbox', () => {
  let world: SandboxWorld;
  let sandboxId: string;

  beforeAll(async () => {
    world = await startSandboxWorld('sesn_output_read');
    ({ sandboxId } = await world.sandboxes.create({ name: 'output-read' }));
  });
  afterAll(() => world.stop());
  beforeEach(() => sh('rm -rf /mnt/session/outputs /tmp/kept && mkdir -p /mnt/session/outputs'));

  const sh = (command: string) => world.sandboxes.exec({ sandboxId, command, cwd: '/' });
  const scan = async () => (await scanOutputs(world.sandboxes, sandboxId)).outputs;
  const read = async (outputs: readonly FoundOutput[]) =>
    new Map(
      [...(await readTogether(world.sandboxes, sandboxId, outputs))].map(([{ path }, bytes]) => [
        path,
        bytes,
      ]),
    );
  const write = (name: string, content: Uint8Array) =>
    world.sandboxes.writeFile({ sandboxId, path: `/mnt/session/outputs/${name}`, content });

  it('many are read as they are, whatever they hold and are called', async () => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const contents = new Map<string, Uint8Array>([
      ['empty', new Uint8Array()],
      ['-n', Buffer.of(0)],
      ['(', Buffer.from('\0\0')],
      ['bytes', all],
      ['bytes twice', Buffer.concat([all, all.toReversed()])],
      ['escapes \\x41 %s', Buffer.from('\u0001\u0001\u007f\u0001\0\u007f\u007f\\0\\c%s\0\u0001')],
      ['lines\n', Buffer.from('\n\r\n\n\0\n')],
      ['not UTF-8', Buffer.of(0xff, 0xfe, 0, 0xc3)],
      ['sub\n/ -dir/$(id)', Buffer.from('12 ./empty\0')],
      ['sub/sub/*', Buffer.from('\0\u0001 ./x\0\0')],
      ['ö'.repeat(120), Buffer.from('ü')],
      ['large', Buffer.alloc(64 * 1024, 'capstan')],
      ['many NULs', Buffer.from('x\0'.repeat(1_000))],
    ]);
    for (const [name, content] of contents) await write(name, content);
    const come = await read(await scan());
    const shown = (some: ReadonlyMap<string, Uint8Array>) =>
      [...some].map(([name, bytes]) => [name, Buffer.from(bytes).toString('hex')]).toSorted();
    expect(shown(come)).toEqual(shown(contents));
  });

  it('contents of any bytes come back, a batch after another', async () => {
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 3_000 }),
      fc
        .array(fc.constantFrom(0, 1, 10, 92, 127, 255), { maxLength: 200 })
        .map((bytes) => Uint8Array.from(bytes)),
    );
    const contents = fc.array(content, { minLength: 12, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(contents, async (given) => {
        await Promise.all(given.map((bytes, index) => write(String(index), bytes)));
        const come = await read(await scan());
        for (const [index, bytes] of given.entries())
          expect(Buffer.compare(come.get(String(index)) ?? Buffer.from('none'), bytes)).toBe(0);
      }),
      { numRuns: 10 },
    );
  });

  it('what has changed since it was found, has gone, or lies behind a link is not read; what is beside it is', async () => {
    await sh(`cd /mnt/session/outputs; mkdir /tmp/kept dir whole
      for i in stays grows shrinks touched gone link pipe dir/x whole/y; do echo text >$i; done`);
    const outputs = await scan();
    await sh(`cd /mnt/session/outputs
      echo more >>grows; : >shrinks; touch -d @1 touched; rm gone pipe; mkfifo pipe
      mv link /tmp/kept; ln -s /tmp/kept/link link; mv dir /tmp/kept; ln -s /tmp/kept/dir dir`);
    expect(outputs).toHaveLength(9);
    const come = [...(await read(outputs))].map(([name, bytes]) => [name, Buffer.from(bytes).toString()]);
    expect(come.toSorted()).toEqual([
      ['stays', 'text\n'],
      ['whole/y', 'text\n'],
    ]);
  });

  it('what has more NULs than are held is not read with others, nor is any when the directory is a link', async () => {
    await write('zeros', new Uint8Array(5_000));
    await write('other', Buffer.from('text'));
    const outputs = await scan();
    expect([...(await read(outputs)).keys()]).toEqual(['other']);
    await sh('mv /mnt/session/outputs /tmp/kept && ln -s /tmp/kept /mnt/session/outputs');
    expect((await read(outputs)).size).toBe(0);
    await sh('rm /mnt/session/outputs');
    expect((await read(outputs)).size).toBe(0);
  });
});
