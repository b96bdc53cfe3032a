import { describe, expect, it } from 'vitest';
import { MODAL_RATES, priceOf, ratesOf } from './sandbox-price.ts';

const USUAL = { cpu: null, memoryMiB: null };
const LIST = {
  source: 'list_price',
  cores: '0.125',
  memory_gib: '0.125',
  usd_per_core_hour: '0.141912',
  usd_per_gib_hour: '0.024012',
};

describe('the price of sandboxes that wait', () => {
  it('is that of what one reserves, exactly, for each and for all', () => {
    expect(priceOf(MODAL_RATES, 3, USUAL)).toMatchObject({
      usd_per_sandbox_hour: '0.0207405',
      usd_per_hour: '0.0622215',
      usd_per_30_days: '44.79948',
      basis: LIST,
    });
    expect(priceOf(MODAL_RATES, 0, USUAL)).toMatchObject({ usd_per_hour: '0', usd_per_30_days: '0' });
  });

  it('is of the machine that the environment asks for', () => {
    expect(priceOf(MODAL_RATES, 2, { cpu: 2, memoryMiB: 1_536 })).toMatchObject({
      usd_per_sandbox_hour: '0.319842',
      usd_per_hour: '0.639684',
      basis: { cores: '2', memory_gib: '1.5' },
    });
  });

  it('is nothing on a machine of its own, and unknown of sandboxes that cannot be asked', () => {
    const { rates } = ratesOf({}, 'container');
    expect(rates && priceOf(rates, 20, USUAL)).toMatchObject({
      usd_per_hour: '0',
      basis: { source: 'local' },
    });
    expect(ratesOf({}, null).rates).toBeNull();
    expect(ratesOf({}, 'gvisor').rates).toBe(MODAL_RATES);
  });

  it('is what the operator says, in part or whole', () => {
    const said = { SANDBOX_CPU_USD_PER_HOUR: '0.1', SANDBOX_CORES: ' 2 ', SANDBOX_MEMORY_GIB: '' };
    const { rates, problems } = ratesOf(said, null);
    expect(problems).toEqual([]);
    // 2 cores at 0.1 and an eighth of a GiB at 0.024012.
    expect(rates && priceOf(rates, 1, USUAL)).toMatchObject({
      usd_per_sandbox_hour: '0.2030015',
      basis: { ...LIST, source: 'operator', as_of: null, cores: '2', usd_per_core_hour: '0.1' },
    });
  });

  it('is rounded up where it is less than a billionth', () => {
    const said = { SANDBOX_CPU_USD_PER_HOUR: '0.000000001', SANDBOX_MEMORY_USD_PER_HOUR: '0' };
    const { rates } = ratesOf(said, 'gvisor');
    expect(rates && priceOf(rates, 2, USUAL)).toMatchObject({
      usd_per_sandbox_hour: '0.000000001',
      usd_per_hour: '0.000000002',
    });
  });

  it.each(['-1', '1e3', '0.1234567891', 'free', '1,5'])(
    'does not take %j, and says which is wrong',
    (text) => {
      const { rates, problems } = ratesOf({ SANDBOX_MEMORY_USD_PER_HOUR: text }, 'gvisor');
      expect(rates).toBe(MODAL_RATES);
      expect(problems).toEqual([expect.stringContaining('SANDBOX_MEMORY_USD_PER_HOUR')]);
    },
  );
});
