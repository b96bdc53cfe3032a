// What a model call took, at the list price its model had when the call began.
import type { ModelUsage } from '@capstan/schema/usage';
import { costOf } from './budget.ts';
import type { Bill } from './entry.ts';
import type { OpenSpan } from './state.ts';

export function billOf(kind: Bill['kind'], { provider, model, price }: OpenSpan, usage: ModelUsage): Bill {
  return { kind, provider, model, usage, nanoUsd: costOf(usage, price) };
}
