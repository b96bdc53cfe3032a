// How far an agent goes, where it says so itself (schema `agent-options`).
import { MAX_MODEL_CALLS } from '@capstan/schema/agent-options';
import type { ThreadAgent } from '@capstan/schema/agents';
import type { ModelChoice } from './harness.ts';

type Limited = Pick<ThreadAgent, 'capstan'>;

/** Who answers for its model, with replies no longer than the agent wants them. Summaries and verdicts are no replies. */
export function limited<C extends ModelChoice | null>({ capstan }: Limited, choice: C): C {
  const most = capstan?.model?.max_output_tokens;
  if (choice === null || most === undefined) return choice;
  return { ...choice, maxOutputTokens: Math.min(choice.maxOutputTokens, most) };
}

/** What its model is told of the length of a reply; null: nothing. */
export function replyLimit({ capstan }: Limited, { maxOutputTokens }: ModelChoice): number | null {
  const most = capstan?.model?.max_output_tokens;
  return most === undefined ? null : Math.min(maxOutputTokens, most);
}

/** Model calls after which a turn of it is stopped. */
export function mostModelCalls({ capstan }: Limited): number {
  return capstan?.harness?.max_model_calls ?? MAX_MODEL_CALLS;
}
