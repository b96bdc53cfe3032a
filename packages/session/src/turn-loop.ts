// The loop of a turn: from the state of its thread, model calls and tool calls until nothing is left to do.
//
// T1. A turn keeps nothing of its own: each step is read off the state, each outcome is a command. Killed anywhere, the
//     next attempt goes on from the log.
// T2. A stopped turn writes nothing more, and what its calls still do is cancelled. A superseded turn cancels nothing:
//     its successor recovers those calls.
import { grade } from './grading.ts';
import { callModel } from './model-step.ts';
import { nextStep, threadById } from './thread.ts';
import { performCalls } from './tool-step.ts';
import type { Desk, Turn } from './turn.ts';

/** Rejects only when a step could not be committed. */
export async function runTurn(turn: Turn, desk: Desk): Promise<void> {
  for (;;) {
    const state = desk.state();
    const thread = threadById(state, turn.threadId);
    if (turn.signal.aborted || thread?.turnId !== turn.id) return;
    const step = nextStep(state, thread);
    if (step.kind === 'tools') await performCalls(turn, desk, step.calls);
    else if (step.kind === 'model') await callModel(turn, desk, thread);
    else if (step.kind === 'grade') await grade(turn, desk, thread);
    else return;
  }
}
