import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { callOf, NEVER, type SandboxWorld, startSandboxWorld, textOf } from '../tools/testing.ts';
import type { SessionSkill, SessionSkills } from './session-skills.ts';
import { MemoryFiles, MemoryRecord } from './testing.ts';

let world: SandboxWorld;
let record: MemoryRecord;
let skills: MemorySkills;
let tools: ReturnType<SandboxWorld['wake']>;

/** As the platform writes archives: nothing packed, the name of the skill before every path. */
function archive(files: Record<string, string>): Uint8Array<ArrayBuffer> {
  const script = `import zipfile, io, sys, json
b = io.BytesIO(); z = zipfile.ZipFile(b, 'w', zipfile.ZIP_STORED)
for path, text in json.load(sys.stdin).items(): z.writestr('any/' + path, text)
z.close(); sys.stdout.buffer.write(b.getvalue())`;
  return new Uint8Array(
    execFileSync('python3', ['-c', script], { input: JSON.stringify(files), maxBuffer: 1 << 28 }),
  );
}

class MemorySkills implements SessionSkills {
  skills: SessionSkill[] = [];
  archives = new Map<string, Uint8Array<ArrayBuffer>>();
  opened = 0;

  add(id: string, name: string, bytes: Uint8Array<ArrayBuffer> | null): void {
    this.skills.push({ id, name, description: '' });
    if (bytes !== null) this.archives.set(id, bytes);
  }

  async all(): Promise<SessionSkill[]> {
    return this.skills;
  }

  async open(id: string): Promise<ReadableStream<Uint8Array> | null> {
    this.opened += 1;
    const bytes = this.archives.get(id);
    return bytes === undefined ? null : new Blob([bytes]).stream();
  }
}

beforeAll(async () => {
  world = await startSandboxWorld('sesn_skills');
});
afterAll(() => world.stop());
beforeEach(async () => {
  await tools?.release();
  record = new MemoryRecord();
  skills = new MemorySkills();
  wake();
});

function wake(): void {
  tools = world.wake(world.sandboxes, { files: new MemoryFiles(), record, skills });
}

const bash = async (command: string) => textOf(await tools.perform(callOf('bash', { command }), NEVER));
const read = async (path: string) => textOf(await tools.perform(callOf('read', { file_path: path }), NEVER));

describe('skills of a session', () => {
  it('are in its sandbox before its first tool call, as they were uploaded', async () => {
    const long = `${'deep/'.repeat(12)}${'n'.repeat(120)}.txt`;
    skills.add(
      'skver_1',
      'pdf',
      archive({ 'SKILL.md': '# PDF\n', 'scripts/run.sh': '#!/bin/sh\necho ran\n', [long]: 'long' }),
    );
    skills.add('skver_2', 'xlsx', archive({ 'SKILL.md': '# XLSX\n', "it's ü.txt": '', tiny: '#' }));
    expect(await read('/mnt/skills/pdf/SKILL.md')).toContain('# PDF');
    expect(
      await bash(
        '/mnt/skills/pdf/scripts/run.sh; cd /mnt/skills; ls -A . xlsx; cat pdf/deep/*/*/*/*/*/*/*/*/*/*/*/*',
      ),
    ).toBe("ran\n.:\npdf\nxlsx\n\nxlsx:\nSKILL.md\nit's ü.txt\ntiny\nlong");
    expect(await bash('cd /mnt/skills; stat -c %a pdf pdf/SKILL.md pdf/scripts/run.sh xlsx/tiny')).toBe(
      '755\n444\n555\n444\n',
    );
  });

  it('with many files and more than one call carries are whole', async () => {
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`data/${at}`, `${at}`]));
    skills.add('skver_1', 'many', archive({ ...many, 'SKILL.md': 'x' }));
    skills.add('skver_2', 'large', archive({ 'SKILL.md': 'x', big: 'x'.repeat(20_000_003), after: 'y' }));
    expect(
      await bash('cd /mnt/skills; ls many/data | wc -l; stat -c %s large/big; cat large/after; ls -A'),
    ).toBe('1000\n20000003\nylarge\nmany\n');
  });

  it('of one name lie beside each other', async () => {
    skills.add('skver_1', 'pdf', archive({ 'SKILL.md': 'one' }));
    skills.add('skver_2', 'pdf', archive({ 'SKILL.md': 'two' }));
    expect(await bash('cat /mnt/skills/pdf/SKILL.md /mnt/skills/pdf.skver_2/SKILL.md')).toBe('onetwo');
  });

  it('are brought once into a sandbox, and as they were into one that replaces it', async () => {
    skills.add('skver_1', 'pdf', archive({ 'SKILL.md': 'one' }));
    await bash('rm -rf /mnt/skills/pdf; mkdir /mnt/skills/own');
    wake();
    expect(await bash('ls /mnt/skills')).toBe('own\n');
    expect(skills.opened).toBe(1);
    await world.sandboxes.terminate(world.remembered.sandboxId ?? '');
    wake();
    expect(await bash('cat /mnt/skills/pdf/SKILL.md')).toContain('one');
  });

  it('that are gone or damaged are named once, and the others are there', async () => {
    skills.add('skver_1', 'gone', null);
    skills.add('skver_2', 'damaged', archive({ 'SKILL.md': 'x'.repeat(10_000) }).slice(0, 5_000));
    skills.add('skver_3', 'fine', archive({ 'SKILL.md': 'fine' }));
    const said = await bash('cat /mnt/skills/fine/SKILL.md; ls /mnt/skills');
    expect(said).toMatch(
      /Note: The skills gone could not be mounted at \/mnt\/skills: its content is gone\./,
    );
    expect(said).toMatch(/Note: The skills damaged could not be mounted at .*: it is cut short\./);
    expect(said).toMatch(/finefine\n$/);
    expect(await bash('echo again')).toBe('again\n');
  });
});
