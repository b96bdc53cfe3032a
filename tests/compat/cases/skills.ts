import { toFile } from '@anthropic-ai/sdk';
import { describe, expect, it } from 'vitest';
import { type Cases, collect } from '../ground.ts';

const skill = (description: string) =>
  toFile(
    Buffer.from(`---\nname: compat-skill\ndescription: ${description}\n---\n\nDo it well.\n`),
    'compat-skill/SKILL.md',
  );

export const skillCases: Cases = (ground) => {
  describe.each(['skills', 'beta.skills'] as const)('%s', (name) => {
    it('are uploaded, versioned, listed and deleted', async () => {
      const { client } = ground();
      const skills = name === 'skills' ? client.skills : client.beta.skills;
      const made = await skills.create({ files: [await skill('First')], display_name: `Of ${name}` });
      expect(made).toMatchObject({ type: 'skill', display_name: `Of ${name}` });
      const second = await skills.versions.create(made.id, { files: [await skill('Second')] });
      expect(second).toMatchObject({ type: 'skill_version', skill_id: made.id, description: 'Second' });
      const of = { skill_id: made.id };
      expect(await skills.versions.retrieve(second.id, of)).toMatchObject({ description: 'Second' });
      expect(await skills.versions.retrieve('latest', of)).toMatchObject({ id: second.id });
      const versions = await collect(skills.versions.list(made.id));
      expect(versions.map(({ description }) => description)).toEqual(['Second', 'First']);
      expect((await skills.retrieve(made.id)).latest_version_id).toBe(second.id);
      expect((await collect(skills.list())).map(({ id }) => id)).toContain(made.id);
      const [, first] = versions;
      if (first === undefined) throw new Error('no first version');
      expect(await skills.versions.delete(first.id, of)).toMatchObject({ type: 'skill_version_deleted' });
      expect(await skills.delete(made.id)).toMatchObject({ type: 'skill_deleted' });
    });
  });

  it('beta.skills.versions.download gives what was uploaded', async () => {
    const { skills } = ground().client.beta;
    const made = await skills.create({ files: [await skill('Downloaded')] });
    const archive = await skills.versions.download(made.latest_version_id, { skill_id: made.id });
    expect(
      Buffer.from(await archive.arrayBuffer())
        .subarray(0, 2)
        .toString(),
    ).toBe('PK');
  });
};
