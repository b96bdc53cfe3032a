import { expect, it } from 'vitest';
import { receiveSkill } from './skill-upload.ts';

it('keeps each of its files to the byte, however many chunks they come in', async () => {
  const form = new FormData();
  form.append('files[]', new File(['---\ndescription: Large.\n---\n'], 'large/SKILL.md'));
  const wanted = new Map<string, Uint8Array>();
  for (const name of ['a.bin', 'b.bin']) {
    const bytes = new Uint8Array(700_000).map((_, index) => (index * 7 + (index >> 9) + name.length) % 256);
    wanted.set(`large/${name}`, bytes);
    form.append('files[]', new File([bytes], `large/${name}`));
  }
  const { files } = await receiveSkill(
    new Request('http://localhost/v1/skills', { method: 'POST', body: form }),
  );
  expect(files.map(({ path }) => path)).toEqual(['large/SKILL.md', 'large/a.bin', 'large/b.bin']);
  for (const { path, read } of files.slice(1))
    expect(Buffer.compare(await read(), wanted.get(path) ?? Buffer.of()), path).toBe(0);
});
