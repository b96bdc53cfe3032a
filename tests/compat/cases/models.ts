import { expect, it } from 'vitest';
import { type Cases, collect, MODEL } from '../ground.ts';

export const modelCases: Cases = (ground) => {
  it.each(['models', 'beta.models'] as const)('%s are listed and described', async (name) => {
    const { client } = ground();
    const models = name === 'models' ? client.models : client.beta.models;
    const listed = await collect(models.list({ limit: 5 }));
    expect(listed.map(({ id }) => id)).toContain(MODEL);
    expect(await models.retrieve(MODEL)).toMatchObject({ type: 'model', id: MODEL, lifecycle: 'active' });
    await expect(models.retrieve('nobody-has-this')).rejects.toMatchObject({ status: 404 });
  });
};
