import { describe, expect, it } from 'vitest';
import { nothingKnown, type TenantModel, TenantModels } from './tenant-models.ts';

const card = (modelId: string): TenantModel => ({
  id: `mcard_${modelId}`,
  modelId,
  dialect: 'chat',
  baseUrl: 'https://api.example.com/v1',
  model: modelId,
  contextWindow: null,
  maxOutputTokens: null,
  price: null,
  openKey: async () => null,
});

/** Cards that may change, and how often they were read. */
function shelf(...names: string[]) {
  const held = { cards: names.map(card), reads: 0, now: 1_000_000 };
  const load = async () => {
    held.reads += 1;
    return held.cards;
  };
  return { held, models: new TenantModels({ load, reach: {} }, { now: () => held.now }) };
}

describe('the models of a tenant', () => {
  it('are not told before they were read', async () => {
    const { models } = shelf('ours');
    expect(() => models.find('ours')).toThrow('have not been read yet');
    await models.refresh();
    expect(models.find('ours')?.id).toBe('mcard_ours');
    expect(models.find('theirs')).toBeNull();
  });

  it('are read once in five seconds, and waited for when they are older than that', async () => {
    const { held, models } = shelf('ours');
    await models.refresh();
    held.now += 4_999;
    await models.refresh();
    expect(held.reads).toBe(1);
    expect(models.settling()).toBeNull();
    held.now += 1;
    held.cards = [];
    await models.settling();
    expect(held.reads).toBe(2);
    expect(models.find('ours')).toBeNull();
  });

  it('are read once for all sessions of a tenant in a process', async () => {
    let reads = 0;
    const load = async () => {
      reads += 1;
      return [card('ours')];
    };
    const known = nothingKnown();
    const [one, other] = [1, 2].map(
      () => new TenantModels({ load, reach: {} }, { now: () => 1_000_000 }, known),
    );
    await one?.refresh();
    expect(other?.settling()).toBeNull();
    expect(other?.find('ours')?.id).toBe('mcard_ours');
    expect(reads).toBe(1);
  });

  it('hold nobody up who has none', async () => {
    const { held, models } = shelf();
    expect(models.settling()).not.toBeNull();
    await models.settling();
    held.now += 3_600_000;
    expect(models.settling()).toBeNull();
    expect(models.find('ours')).toBeNull();
    held.cards = [card('ours')];
    await models.refresh();
    expect(models.find('ours')).not.toBeNull();
  });

  it('fail a call when they cannot be read, and no command', async () => {
    const { held, models } = shelf('ours');
    await models.refresh();
    held.now += 10_000;
    Object.defineProperty(held, 'cards', {
      get: () => {
        throw new Error('the database is away');
      },
    });
    await expect(models.refresh()).rejects.toThrow('cannot be read');
    await models.settling();
    expect(models.find('ours')?.id).toBe('mcard_ours');
  });
});
