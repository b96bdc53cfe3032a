// What a sandbox costs while nobody uses it: what it reserves, at a price. Pure and exact: nano-dollars as integers.
import type { Isolation } from '@capstan/schema/isolation';
import type { SandboxPrice, SandboxSize } from '@capstan/schema/warm-pools';

export interface SandboxRates {
  source: SandboxPrice['basis']['source'];
  /** `2026-10-08`; null: it is no list price. */
  asOf: string | null;
  /** What a sandbox reserves that asks for nothing, in billionths of a core and of a GiB. */
  nanoCores: bigint;
  nanoGib: bigint;
  coreHourNanoUsd: bigint;
  gibHourNanoUsd: bigint;
}

/**
 * Modal's list prices of sandboxes, $0.00003942 for a second of a physical core and $0.00000667 for one of a GiB, and what it
 * reserves by default, 0.125 cores and 128 MiB. Used beyond that, more is billed: one that waits uses less.
 */
export const MODAL_RATES: SandboxRates = {
  source: 'list_price',
  asOf: '2026-10-08',
  nanoCores: 125_000_000n,
  nanoGib: 125_000_000n,
  coreHourNanoUsd: 39_420n * 3_600n,
  gibHourNanoUsd: 6_670n * 3_600n,
};

/** Processes of a machine that is there anyway. */
const LOCAL_RATES: SandboxRates = {
  source: 'local',
  asOf: null,
  nanoCores: 0n,
  nanoGib: 0n,
  coreHourNanoUsd: 0n,
  gibHourNanoUsd: 0n,
};

/** What an operator may say, each as decimal text; what is not said is Modal's. */
export interface SaidRates {
  SANDBOX_CPU_USD_PER_HOUR?: string | undefined;
  SANDBOX_MEMORY_USD_PER_HOUR?: string | undefined;
  SANDBOX_CORES?: string | undefined;
  SANDBOX_MEMORY_GIB?: string | undefined;
}

const NAMES = {
  SANDBOX_CPU_USD_PER_HOUR: 'coreHourNanoUsd',
  SANDBOX_MEMORY_USD_PER_HOUR: 'gibHourNanoUsd',
  SANDBOX_CORES: 'nanoCores',
  SANDBOX_MEMORY_GIB: 'nanoGib',
} as const;

/** Null: it is not known what the sandboxes are (`isolation` is null), nor said what they cost. */
export function ratesOf(
  said: SaidRates,
  isolation: Isolation | null,
): { rates: SandboxRates | null; problems: string[] } {
  const problems: string[] = [];
  const given: Partial<SandboxRates> = {};
  for (const name of [
    'SANDBOX_CPU_USD_PER_HOUR',
    'SANDBOX_MEMORY_USD_PER_HOUR',
    'SANDBOX_CORES',
    'SANDBOX_MEMORY_GIB',
  ] as const) {
    const text = said[name]?.trim() ?? '';
    if (text === '') continue;
    const nano = toNano(text);
    if (nano === null)
      problems.push(`${name} must be a decimal number such as 0.142, at most 9 digits behind the point`);
    else given[NAMES[name]] = nano;
  }
  if (Object.keys(given).length > 0)
    return { rates: { ...MODAL_RATES, source: 'operator', asOf: null, ...given }, problems };
  if (isolation === null) return { rates: null, problems };
  return { rates: isolation === 'gvisor' ? MODAL_RATES : LOCAL_RATES, problems };
}

const BILLION = 1_000_000_000n;
const HOURS_OF_30_DAYS = 720n;

/** What `wanted` sandboxes of that size cost that wait. Below a nano-dollar it is rounded up. */
export function priceOf(rates: SandboxRates, wanted: number, { cpu, memoryMiB }: SandboxSize): SandboxPrice {
  const { coreHourNanoUsd, gibHourNanoUsd } = rates;
  // In steps of an eighth, and whole MiB: both are exact.
  const nanoCores = cpu === null ? rates.nanoCores : BigInt(cpu * 1e9);
  const nanoGib = memoryMiB === null ? rates.nanoGib : (BigInt(memoryMiB) * BILLION + 1_023n) / 1_024n;
  const exact = nanoCores * coreHourNanoUsd + nanoGib * gibHourNanoUsd;
  const hour = (exact + BILLION - 1n) / BILLION;
  const all = hour * BigInt(wanted);
  return {
    usd_per_sandbox_hour: toDecimal(hour),
    usd_per_hour: toDecimal(all),
    usd_per_30_days: toDecimal(all * HOURS_OF_30_DAYS),
    basis: {
      source: rates.source,
      as_of: rates.asOf,
      cores: toDecimal(nanoCores),
      memory_gib: toDecimal(nanoGib),
      usd_per_core_hour: toDecimal(coreHourNanoUsd),
      usd_per_gib_hour: toDecimal(gibHourNanoUsd),
    },
  };
}

function toNano(text: string): bigint | null {
  const [, whole = '', fraction = ''] = /^(\d{1,6})(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  return whole === '' ? null : BigInt(whole) * BILLION + BigInt(fraction.padEnd(9, '0'));
}

function toDecimal(nano: bigint): string {
  const fraction = (nano % BILLION).toString().padStart(9, '0').replace(/0+$/, '');
  const whole = (nano / BILLION).toString();
  return fraction === '' ? whole : `${whole}.${fraction}`;
}
