// The rule all vendors share: every tool call is answered exactly once. A harness that breaks it learns here what it
// would learn from the real provider.
import type { Entry } from './conversation.ts';
import { badRequest } from './vendor-error.ts';

export interface PairingRule {
  /** Results must follow before anything else is said; otherwise anywhere later will do. */
  immediate: boolean;
  unanswered(callIds: string[]): string;
  orphan(callId: string): string;
  param: string;
}

/** Throws RequestError for a tool call without a result, or a result without a call. */
export function checkPairing(entries: Entry[], rule: PairingRule): void {
  const pending = new Set<string>();
  const refuseUnanswered = () => {
    if (pending.size > 0) throw badRequest(rule.unanswered([...pending]), rule.param);
  };
  for (const entry of entries) {
    if (entry.role === 'tool') {
      if (!pending.delete(entry.callId)) throw badRequest(rule.orphan(entry.callId), rule.param);
    } else {
      if (rule.immediate) refuseUnanswered();
      if (entry.role === 'assistant') for (const call of entry.calls) pending.add(call.id);
    }
  }
  refuseUnanswered();
}
