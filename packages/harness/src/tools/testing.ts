// A session's tools over real sandboxes: the Modal SDK against the local emulator. What lives outlives the tools that
// made it, so that a test can let a process die and wake another.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmulator } from '@capstan/modal-emulator/emulator';
import type { Sandboxes } from '@capstan/sandbox/port';
import type { Holding, ToolCall, ToolOutcome } from '@capstan/session/harness';
import { silentLogger } from '@capstan/shared/logger';
import { withHolding } from '../harness.ts';
import { SessionSandbox } from '../session-sandbox.ts';
import { MemoryFacts, sandboxDeps } from '../testing/memory-facts.ts';
import { agentOf } from '../testing.ts';
import { Workspace, type WorkspaceDeps } from '../workspace/workspace.ts';
import { createTools, type Tools } from './tools.ts';

export interface SandboxWorld {
  sandboxes: Sandboxes;
  /** What the session remembers. */
  remembered: MemoryFacts;
  /** The tools, and what they hold, as a process that has just woken has them. */
  wake(
    sandboxes?: Sandboxes,
    parts?: Pick<WorkspaceDeps, 'files' | 'record' | 'skills' | 'memories'>,
  ): Tools & Holding;
  stop(): Promise<void>;
}

/** `restMs`: how long the session is to rest before its sandbox is photographed. */
export async function startSandboxWorld(sessionId = 'sesn_test', restMs?: number): Promise<SandboxWorld> {
  const stateDir = await mkdtemp(join(tmpdir(), 'capstan-harness-'));
  const tokens = { tokenId: 'ak-test', tokenSecret: 'as-test' };
  const emulator = await startEmulator({ stateDir, port: 0, ...tokens });
  process.env.MODAL_SERVER_URL = emulator.url;
  const { ModalClient } = await import('modal');
  const { createModalSandboxes } = await import('@capstan/sandbox/modal');
  const client = new ModalClient(tokens);
  const sandboxes = createModalSandboxes({ client, appName: 'capstan-test', image: 'debian:12' });
  const remembered = new MemoryFacts();
  return {
    sandboxes,
    remembered,
    wake(through = sandboxes, parts) {
      const deps = { sandboxes: () => through, sessionId, facts: remembered, logger: silentLogger };
      const clock = { now: () => Date.now() };
      const workspace = parts === undefined ? {} : { workspace: new Workspace({ ...deps, ...parts, clock }) };
      const rest = restMs === undefined ? {} : { restMs };
      const sandbox = new SessionSandbox(sandboxDeps({ ...deps, ...workspace, ...rest }));
      const tools = createTools({ sandbox, sandboxes: deps.sandboxes, clock, ...workspace });
      const workers: Tools = {
        prepare: (toolName) => tools.prepare(toolName),
        perform: (call, signal) => tools.perform(call, signal),
        recover: (call, signal) => tools.recover(call, signal),
        cancel: (call) => tools.cancel(call),
      };
      return withHolding(workers, sandbox);
    },
    async stop() {
      sandboxes.close();
      await emulator.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

let calls = 0;

export function callOf(name: string, input: Record<string, unknown>): ToolCall {
  calls += 1;
  return {
    effectId: `sevt_${calls}`,
    name,
    input,
    agent: agentOf({ id: 'm' }),
    context: async () => [],
    shell: 'main',
  };
}

export function textOf(outcome: ToolOutcome | null): string {
  const blocks = outcome?.content ?? [];
  return blocks.map((block) => (block.type === 'text' ? block.text : `[${block.type}]`)).join('\n');
}

export const NEVER = new AbortController().signal;
