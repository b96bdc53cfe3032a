import { ZERO_USAGE } from '@capstan/schema/usage';
import { expect, it } from 'vitest';
import { initialState } from './state.ts';

it('a session in which nothing has happened has a thread that has nothing to do', () => {
  const state = initialState({ threadId: 'sthr_1', name: 'Agent', createdAt: 7_000 });
  const thread = {
    id: 'sthr_1',
    name: 'Agent',
    member: null,
    parentId: null,
    status: 'idle',
    turnId: null,
    queue: [],
    calls: [],
    unanswered: false,
    unseen: false,
    openSpan: null,
    judging: null,
    steps: 0,
    attempt: 0,
    restarts: 0,
    retryAt: null,
    paused: false,
    stop: null,
    usage: ZERO_USAGE,
    activeSince: null,
    activeMs: 0,
    contextTokens: 0,
    contextFrom: 0,
    tooLong: false,
    compactions: 0,
    mediaFrom: 0,
    missing: null,
    createdAt: 7_000,
    updatedAt: 7_000,
    archivedAt: null,
  };
  expect(state).toEqual({
    status: 'idle',
    threads: [thread],
    usage: ZERO_USAGE,
    spent: { nanoUsd: 0, tokens: 0, modelCalls: 0, priced: false },
    activeSince: null,
    activeMs: 0,
    runs: [],
    outcome: null,
    evaluations: [],
    relayed: 0,
    stopping: [],
    worked: null,
    told: null,
    updatedAt: 0,
    archivedAt: null,
    deleted: false,
  });
  // A snapshot of it is the state itself.
  expect(JSON.parse(JSON.stringify(state))).toEqual(state);
});
