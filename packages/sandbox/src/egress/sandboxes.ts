// Sandboxes whose every packet leaves through the proxy: the port, with the proxy's side of each call done beside it.
//  1. A sandbox has its rules before the caller has the sandbox, and none of another's: a name that is free has no rules.
//  2. The backend never hears of a credential; the sandbox gets its placeholder from the caller, and nothing else of it.
import { SandboxError } from '../error.ts';
import type {
  CreateSandbox,
  NetworkPolicy,
  ReadRun,
  RunChunk,
  SandboxCredential,
  Sandboxes,
  SandboxRef,
  StartRun,
} from '../port.ts';
import type { SandboxEgresses } from './attachment.ts';
import type { DeniedRequests } from './denied-requests.ts';
import { IMAGE_BUILDS } from './identity.ts';
import type { EgressPolicy } from './policy.ts';
import type { PolicyStore } from './policy-store.ts';

export interface EgressPorts {
  egresses: SandboxEgresses;
  store: PolicyStore;
  denied: DeniedRequests;
}

/** `inner` must let sandboxes connect to nothing but the proxy. */
export function withEgress<S extends Sandboxes>(inner: S, ports: EgressPorts): S {
  const { egresses, store, denied } = ports;
  const change = async (sandboxId: string, part: Partial<EgressPolicy>) => {
    const sandbox = await store.nameOf(sandboxId);
    const policy = sandbox === null ? null : await store.read(sandbox);
    if (sandbox === null || policy === null)
      throw new SandboxError(
        'unavailable',
        `What sandbox ${sandboxId} may do is not known here: create it again by its name`,
      );
    await sensible(() => egresses.change(sandbox, { ...policy, ...part }));
  };
  // Read last: what a command was refused while it ran is in it.
  const told = async (sandboxId: string, chunk: RunChunk): Promise<RunChunk> => {
    const sandbox = await store.nameOf(sandboxId);
    return { ...chunk, denied: sandbox === null ? 0 : denied.last(sandbox) };
  };
  return {
    ...inner,
    create: (request) => create(inner, request, ports),
    async setNetwork(request: { sandboxId: string; network: NetworkPolicy }) {
      // Both ways in which a network may be narrowed come first: a half-done change is never wider than asked.
      await change(request.sandboxId, { network: request.network });
      await inner.setNetwork(request);
    },
    setCredentials: (request: { sandboxId: string; credentials: readonly SandboxCredential[] }) =>
      change(request.sandboxId, { credentials: request.credentials }),
    startRun: async (request: StartRun, signal?: AbortSignal) =>
      told(request.sandboxId, await inner.startRun(request, signal)),
    readRun: async (request: ReadRun, signal?: AbortSignal) =>
      told(request.sandboxId, await inner.readRun(request, signal)),
    async denials({ sandboxId, after = 0 }: { sandboxId: string; after?: number }) {
      const sandbox = await store.nameOf(sandboxId);
      return sandbox === null ? [] : denied.since(sandbox, after);
    },
    async terminate(sandboxId: string) {
      await inner.terminate(sandboxId);
      const sandbox = await store.nameOf(sandboxId);
      if (sandbox === null) return;
      denied.forget(sandbox);
      await egresses.detach(sandbox);
    },
  };
}

async function create(inner: Sandboxes, request: CreateSandbox, ports: EgressPorts): Promise<SandboxRef> {
  const { egresses, store } = ports;
  const { name, credentials, network = { type: 'unrestricted' }, ...rest } = request;
  if (name === IMAGE_BUILDS)
    throw new SandboxError('invalid', `name: "${IMAGE_BUILDS}" is taken: builds of images are known by it`);
  const policy = { network, credentials: credentials ?? [] };
  const needs = await sensible(async () => egresses.needs(name, policy, credentials !== undefined));
  const ref = await inner.create({ ...rest, name, network, env: { ...rest.env, ...needs.env } });
  // It lives already and was made ready: it is as it is.
  if ((await store.nameOf(ref.sandboxId)) !== null && !ref.created) return ref;
  const { sandboxId } = ref;
  await Promise.all(needs.files.map(({ path, content }) => inner.writeFile({ sandboxId, path, content })));
  await egresses.change(name, policy);
  await store.bind(ref.sandboxId, name);
  return ref;
}

async function sensible<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RangeError)
      throw new SandboxError('invalid', `network: ${error.message}`, { cause: error });
    throw error;
  }
}
