// Policy store: the rules of every sandbox by name, as they were last said, and whose they are.
// A sandbox nobody has spoken of has no rules, and so no network.
import { z } from 'zod';
import { type CompiledPolicy, compilePolicy, type EgressPolicy } from './policy.ts';
import type { Records } from './sealed-records.ts';

export interface PolicyStore {
  /** Takes effect for the next request. Throws RangeError on a policy that says nothing sensible. */
  set(sandbox: string, policy: EgressPolicy): Promise<CompiledPolicy>;
  get(sandbox: string): Promise<CompiledPolicy | null>;
  /** As it was said, e.g. to be said with a change. */
  read(sandbox: string): Promise<EgressPolicy | null>;
  forget(sandbox: string): Promise<void>;
  /** The live sandbox that has the name. */
  bind(sandboxId: string, sandbox: string): Promise<void>;
  /** The name of a sandbox, when it is the last that had it. */
  nameOf(sandboxId: string): Promise<string | null>;
}

const policySchema = z.object({
  network: z.discriminatedUnion('type', [
    z.object({ type: z.literal('unrestricted') }),
    z.object({ type: z.literal('limited'), allowedHosts: z.array(z.string()) }),
    z.object({ type: z.literal('blocked') }),
  ]),
  credentials: z.array(
    z.object({
      id: z.string(),
      placeholder: z.string(),
      secret: z.string(),
      hosts: z.array(z.string()),
      locations: z.object({ header: z.boolean(), query: z.boolean(), body: z.boolean() }),
    }),
  ),
});

export function createPolicyStore(records: Records): PolicyStore {
  // A record is one object until it is put again, and is compiled once.
  const compiled = new WeakMap<object, CompiledPolicy>();
  const policyKey = (sandbox: string) => `policy ${sandbox}`;
  const ownerKey = (sandbox: string) => `owner ${sandbox}`;
  const nameKey = (sandboxId: string) => `name ${sandboxId}`;
  const read = async (sandbox: string) => {
    const found = policySchema.safeParse(await records.get(policyKey(sandbox)));
    return found.success ? found.data : null;
  };
  return {
    async set(sandbox, policy) {
      const result = compilePolicy(policy);
      await records.put(policyKey(sandbox), policy);
      return result;
    },
    async get(sandbox) {
      const record = await records.get(policyKey(sandbox));
      if (typeof record !== 'object' || record === null) return null;
      const known = compiled.get(record);
      if (known !== undefined) return known;
      const found = policySchema.safeParse(record);
      if (!found.success) return null;
      const policy = compilePolicy(found.data);
      compiled.set(record, policy);
      return policy;
    },
    read,
    async forget(sandbox) {
      const owner = await records.get(ownerKey(sandbox));
      if (typeof owner === 'string') await records.drop(nameKey(owner));
      await Promise.all([records.drop(policyKey(sandbox)), records.drop(ownerKey(sandbox))]);
    },
    async bind(sandboxId, sandbox) {
      await records.put(nameKey(sandboxId), sandbox);
      await records.put(ownerKey(sandbox), sandboxId);
    },
    async nameOf(sandboxId) {
      const sandbox = await records.get(nameKey(sandboxId));
      if (typeof sandbox !== 'string') return null;
      return (await records.get(ownerKey(sandbox))) === sandboxId ? sandbox : null;
    },
  };
}
