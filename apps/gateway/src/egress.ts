// The gateway's egress proxy: from settings to a proxy that listens, and to sandboxes whose packets all pass it.
import {
  createSandboxEgresses,
  JAVA_RELAY,
  type ProxyPlace,
  placeOf,
} from '@capstan/sandbox/egress/attachment';
import { createDeniedRequests } from '@capstan/sandbox/egress/denied-requests';
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
}

export interface Egress {
  /** How sandboxes reach the proxy. */
  url: string;
  /** The only place that sandboxes may connect to. */
  place: ProxyPlace;
  /** What each sandbox needs to have before its first command. */
  files: readonly { path: string; content: Uint8Array }[];
  around<S extends Sandboxes>(sandboxes: S): S;
  close(): Promise<void>;
}

/** Rules are forgotten a day after they were last said, and builds go on for as long as the gateway does. */
const SAY_AGAIN_MS = 12 * 60 * 60 * 1000;

/** Resolves when the proxy listens. */
export async function startEgress({ settings, secrets, log }: EgressPorts): Promise<Egress> {
  const { host, port, stateDir, builds } = settings;
  const records = stateDir === null ? createMemoryRecords() : await openSealedRecords(stateDir, secrets);
  const store = createPolicyStore(records);
  const denied = createDeniedRequests();
  const proxy = createEgressProxy({ secrets, store, log, onDenied: denied.note, dial: publicDial() });
  const listened = await proxy.listen(port, host);
  const url = settings.publicUrl ?? `http://${host.includes(':') ? `[${host}]` : host}:${listened}`;
  const egresses = createSandboxEgresses(proxy, url);
  const sayBuilds = () =>
    builds
      ? egresses.change(IMAGE_BUILDS, { network: { type: 'unrestricted' }, credentials: [] })
      : egresses.detach(IMAGE_BUILDS);
  await sayBuilds();
  const saying = setInterval(() => {
    sayBuilds().catch((error: unknown) => log.error('egress.builds', {}, error));
  }, SAY_AGAIN_MS).unref();
  return {
    url,
    place: placeOf(new URL(url)),
    files: [JAVA_RELAY],
    around: (sandboxes) => withEgress(sandboxes, { egresses, store, denied }),
    close: () => {
      clearInterval(saying);
      return proxy.close();
    },
  };
}
