// The Harness port over @openai/agents' models and the session's own sandbox. Holds no state a crash would lose:
// the log has the conversation, `sandboxRef` has the sandbox.

import type { Sandboxes } from '@capstan/sandbox/port';
import type { Harness } from '@capstan/session/harness';
import type { Logger } from '@capstan/shared/logger';
import type { HarnessConfig } from './config.ts';
import { chooseModel } from './model-choice.ts';
import { createModelCalls } from './models/model-calls.ts';
import type { SandboxRef } from './session-sandbox.ts';
import { createTools } from './tools/tools.ts';

export interface Clock {
  /** Epoch ms. */
  now(): number;
}

export interface HarnessDeps {
  config: HarnessConfig;
  sandboxes: Sandboxes;
  sessionId: string;
  sandboxRef: SandboxRef;
  logger: Logger;
  clock: Clock;
}

export function createHarness(deps: HarnessDeps): Harness {
  const { config } = deps;
  const models = createModelCalls(deps);
  const tools = createTools(deps);
  return {
    choose: (model) => chooseModel(config, model),
    call: (call, signal) => models.call(call, signal),
    prepare: (toolName) => tools.prepare(toolName),
    perform: (call, signal) => tools.perform(call, signal),
    recover: (call, signal) => tools.recover(call, signal),
    cancel: (call) => tools.cancel(call),
    holds: () => tools.holds(),
    release: () => tools.release(),
  };
}
