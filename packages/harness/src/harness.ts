// The Harness port over @openai/agents' models and the session's own sandbox. Holds no state a crash would lose:
// the log has the conversation, the session's facts have the sandbox.

import { type Sandboxes, SKILLS } from '@capstan/sandbox/port';
import type { AttachedMemoryStore } from '@capstan/schema/resources';
import type { Harness, Holding } from '@capstan/session/harness';
import type { Logger } from '@capstan/shared/logger';
import type { HarnessConfig } from './config.ts';
import { beside } from './early-sandbox.ts';
import { chooseModel } from './model-choice.ts';
import { type FileContents, FileResolver } from './models/file-content.ts';
import { withMemories } from './models/memory-notice.ts';
import { createModelCalls } from './models/model-calls.ts';
import { withSkills } from './models/skill-notice.ts';
import { NO_MACHINE } from './no-machine.ts';
import type { OutsideTools } from './outside-tools.ts';
import type { SessionSandbox } from './session-sandbox.ts';
import type { TenantModels } from './tenant-models.ts';
import { onOwnMachine } from './tools/definitions.ts';
import { createTools } from './tools/tools.ts';
import { type SessionSkills, WORKER_SKILLS } from './workspace/session-skills.ts';
import type { Workspace } from './workspace/workspace.ts';

export interface Clock {
  /** Epoch ms. */
  now(): number;
}

export interface HarnessDeps {
  config: HarnessConfig;
  /** Absent: the installation's models alone. */
  models?: TenantModels;
  sandboxes: () => Sandboxes;
  /** Null: tools that need a machine are performed by workers of the user's own. */
  sandbox: SessionSandbox | null;
  workspace?: Workspace;
  /** Absent: files are named to models, and not shown. */
  files?: FileContents;
  /** Absent: agents are told of none. */
  skills?: SessionSkills;
  /** Absent: the session has none. */
  memoryStores?: readonly AttachedMemoryStore[] | undefined;
  /** Absent: the sandbox's tools are all there are. */
  outside?: OutsideTools;
  logger: Logger;
  clock: Clock;
}

/** Models and tools; what is held for them is the session's, whether or not any of them is configured. */
export type Workers = Omit<Harness, keyof Holding>;

export function createHarness(deps: HarnessDeps): Workers {
  const { config, models, sandbox, outside } = deps;
  const calls = createModelCalls(deps);
  const tools = sandbox === null ? NO_MACHINE : createTools({ ...deps, sandbox });
  const resolver = deps.files === undefined ? null : new FileResolver(deps.files);
  return {
    ready: async () => models?.refresh(),
    settling: () => models?.settling() ?? null,
    choose: (model) => chooseModel(config, model, models?.find(model.id)),
    async *call(call, signal) {
      const told = { skills: deps.skills, root: sandbox === null ? WORKER_SKILLS : SKILLS };
      const resolved = (await resolver?.resolve(call)) ?? call;
      const shown = withMemories(await withSkills(resolved, told), deps.memoryStores ?? []);
      const placed = sandbox === null ? onOwnMachine(shown) : shown;
      const offered = (await outside?.offer(placed, signal)) ?? placed;
      const open = (sent: () => void) => calls.call(offered, signal, sent);
      const parts = sandbox === null ? open(() => undefined) : beside(sandbox, call, open);
      for await (const part of parts) yield outside?.meant(part) ?? part;
    },
    prepare: (toolName) => tools.prepare(toolName),
    perform: (call, signal) => (outside?.workerOf(call) ?? tools).perform(call, signal),
    recover: (call, signal) => (outside?.workerOf(call) ?? tools).recover(call, signal),
    cancel: (call) => tools.cancel(call),
  };
}

/** The whole of a harness. */
export function withHolding<W extends object>(workers: W, holding: Holding): W & Holding {
  return {
    ...workers,
    holds: () => holding.holds(),
    release: () => holding.release(),
    prewarm: () => holding.prewarm(),
    refresh: () => holding.refresh(),
    expose: (port) => holding.expose(port),
    place: () => holding.place(),
    work: (job) => holding.work(job),
    follow: (rest) => holding.follow(rest),
    careAt: () => holding.careAt(),
    care: () => holding.care(),
    news: () => holding.news(),
    told: (newsId) => holding.told(newsId),
    watch: (changed) => holding.watch(changed),
    snapshot: () => holding.snapshot(),
    lend: () => holding.lend(),
  };
}
