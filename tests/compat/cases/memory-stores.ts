import { describe, expect, it } from 'vitest';
import { type Cases, collect } from '../ground.ts';

export const memoryStoreCases: Cases = (ground) => {
  describe('beta.memoryStores', () => {
    it('keep memories and every version of them', async () => {
      const { memoryStores } = ground().client.beta;
      const store = await memoryStores.create({ name: 'Compat' });
      expect(store).toMatchObject({ type: 'memory_store', description: '', archived_at: null });
      expect(await memoryStores.update(store.id, { description: 'Facts' })).toMatchObject({
        description: 'Facts',
      });
      expect(await memoryStores.retrieve(store.id)).toMatchObject({ name: 'Compat' });
      expect((await collect(memoryStores.list())).map(({ id }) => id)).toContain(store.id);
      const of = { memory_store_id: store.id };
      const { memories, memoryVersions } = memoryStores;
      const made = await memories.create(store.id, { path: '/people/ada.md', content: 'likes tea' });
      expect(made).toMatchObject({
        type: 'memory',
        path: '/people/ada.md',
        content_size_bytes: 9,
        content: null,
      });
      await expect(memories.create(store.id, { path: '/people/ada.md', content: 'x' })).rejects.toMatchObject(
        {
          status: 409,
          type: 'memory_path_conflict_error',
        },
      );
      const precondition = { type: 'content_sha256' as const, content_sha256: made.content_sha256 };
      const changed = await memories.update(made.id, { ...of, content: 'likes coffee', precondition });
      expect(changed.memory_version_id).not.toBe(made.memory_version_id);
      await expect(memories.update(made.id, { ...of, content: 'milk', precondition })).rejects.toMatchObject({
        status: 409,
        type: 'memory_precondition_failed_error',
      });
      expect(await memories.retrieve(made.id, of)).toMatchObject({ content: 'likes coffee' });
      const listed = await collect(memories.list(store.id, { path_prefix: '/', depth: 1 }));
      expect(listed).toEqual([{ type: 'memory_prefix', path: '/people/' }]);
      const [newest, first] = await collect(memoryVersions.list(store.id, { memory_id: made.id }));
      expect([newest?.operation, first?.operation]).toEqual(['modified', 'created']);
      if (first === undefined) throw new Error('no first version');
      expect(await memoryVersions.retrieve(first.id, of)).toMatchObject({ content: 'likes tea' });
      expect(await memoryVersions.redact(first.id, of)).toMatchObject({ content: null, path: null });
      expect(await memories.delete(made.id, of)).toMatchObject({ type: 'memory_deleted' });
      expect((await memoryStores.archive(store.id)).archived_at).not.toBeNull();
      expect(await memoryStores.delete(store.id)).toMatchObject({ type: 'memory_store_deleted' });
    });
  });
};
