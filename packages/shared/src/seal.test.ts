import { describe, expect, it } from 'vitest';
import { createSealer } from './seal.ts';

const ROOT = 'a root secret for tests, 32 characters and more';
const sealer = createSealer([ROOT], 'tokens');

describe('a sealed secret', () => {
  it('opens for its identity, and shows nothing of itself', async () => {
    const sealed = await sealer.seal('ghp_secret', 'tnt_1/row_1');
    expect(sealed).not.toContain('ghp_secret');
    expect(sealed).not.toBe(await sealer.seal('ghp_secret', 'tnt_1/row_1'));
    expect(await sealer.open(sealed, 'tnt_1/row_1')).toBe('ghp_secret');
  });

  it('does not open for another identity or purpose, under another root, or when it was changed', async () => {
    const sealed = await sealer.seal('ghp_secret', 'tnt_1/row_1');
    await expect(sealer.open(sealed, 'tnt_1/row_2')).rejects.toThrow();
    await expect(createSealer([ROOT], 'other').open(sealed, 'tnt_1/row_1')).rejects.toThrow('not known here');
    const other = createSealer(['another root secret, as long as the first'], 'tokens');
    await expect(other.open(sealed, 'tnt_1/row_1')).rejects.toThrow('not known here');
    const changed = sealed.slice(0, -2) + (sealed.endsWith('AA') ? 'BB' : 'AA');
    await expect(sealer.open(changed, 'tnt_1/row_1')).rejects.toThrow();
    await expect(sealer.open('plain text', 'tnt_1/row_1')).rejects.toThrow('not known here');
  });

  it('opens under an earlier root while a new one seals', async () => {
    const old = await sealer.seal('ghp_secret', 'row');
    const rotated = createSealer(['another root secret, as long as the first', ROOT], 'tokens');
    expect(await rotated.open(old, 'row')).toBe('ghp_secret');
    await expect(sealer.open(await rotated.seal('x', 'row'), 'row')).rejects.toThrow('not known here');
  });
});
