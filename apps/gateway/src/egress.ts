// The gateway's egress proxy: from settings to a proxy that listens, and to sandboxes whose packets all pass it.
import { createSandboxEgresses, type ProxyPlace, placeOf } from '@capstan/sandbox/egress/attachment';
import type { Denial } from '@capstan/sandbox/egress/denial';
import { publicDial } from '@capstan/sandbox/egress/dial';
import { IMAGE_BUILDS } from '@capstan/sandbox/egress/identity';
import { createPolicyStore } from '@capstan/sandbox/egress/policy-store';
import { createEgressProxy } from '@capstan/sandbox/egress/proxy';
import { withEgress } from '@capstan/sandbox/egress/sandboxes';
import { createMemoryRecords, openSealedRecords } from '@capstan/sandbox/egress/sealed-records';
import type { Sandboxes } from '@capstan/sandbox/port';
import type { Logger } from '@capstan/shared/logger';
import type { EgressSettings } from './settings.ts';

export interface EgressPorts {
  settings: EgressSettings;
  secrets: readonly string[];
  log: Logger;
  onDenied?: (denial: Denial) => void;
}

export interface Egress {
  /** How sandboxes reach the proxy. */
  url: string;
  /** The only place that sandboxes may connect to. */
  place: ProxyPlace;
  around<S extends Sandboxes>(sandboxes: S): S;
  close(): Promise<void>;
}

/** Resolves when the proxy listens. */
export async function startEgress({ settings, secrets, log, onDenied }: EgressPorts): Promise<Egress> {
  const { host, port, stateDir, builds } = settings;
  const records = stateDir === null ? createMemoryRecords() : await openSealedRecords(stateDir, secrets);
  const store = createPolicyStore(records);
  const proxy = createEgressProxy({ secrets, store, log, onDenied, dial: publicDial() });
  const listened = await proxy.listen(port, host);
  const url = settings.publicUrl ?? `http://${host.includes(':') ? `[${host}]` : host}:${listened}`;
  const egresses = createSandboxEgresses(proxy, url);
  if (builds) await egresses.change(IMAGE_BUILDS, { network: { type: 'unrestricted' }, credentials: [] });
  return {
    url,
    place: placeOf(new URL(url)),
    around: (sandboxes) => withEgress(sandboxes, { egresses, store }),
    close: () => proxy.close(),
  };
}
