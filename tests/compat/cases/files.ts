import { toFile } from '@anthropic-ai/sdk';
import { describe, expect, it } from 'vitest';
import { atRest, type Cases, collect, type Ground, say, tool, until } from '../ground.ts';

export const fileCases: Cases = (ground) => {
  describe.each(['files', 'beta.files'] as const)('%s', (name) => {
    it('are uploaded, described, listed, downloaded and deleted', async () => {
      const { client } = ground();
      const files = name === 'files' ? client.files : client.beta.files;
      const made = await files.upload({ file: await toFile(Buffer.from('content'), 'notes.txt') });
      expect(made).toMatchObject({ type: 'file', filename: 'notes.txt', size_bytes: 7 });
      expect(await files.retrieveMetadata(made.id)).toMatchObject({ id: made.id });
      expect((await collect(files.list({ limit: 1 }))).map(({ id }) => id)).toContain(made.id);
      await expect(files.download(made.id)).rejects.toMatchObject({ errorCode: 'file_not_downloadable' });
      const output = await outputOf(ground());
      expect(await (await files.download(output)).text()).toBe('made here');
      expect(await files.delete(made.id)).toMatchObject({ id: made.id, type: 'file_deleted' });
    });
  });
};

/** The id of a file that an agent left. */
async function outputOf(ground: Ground): Promise<string> {
  const { client, agentId, environmentId } = ground;
  const session = await client.beta.sessions.create({ agent: agentId, environment_id: environmentId });
  const file_path = '/mnt/session/outputs/made.txt';
  await say(ground, session.id, tool('write', { file_path, content: 'made here' }));
  await atRest(ground, session.id);
  const listed = { scope_id: session.id, betas: ['managed-agents-2026-04-01' as const] };
  const [output] = await until(async () => {
    const files = await collect(client.beta.files.list(listed));
    return files.length > 0 && files;
  });
  return output?.id ?? 'none';
}
