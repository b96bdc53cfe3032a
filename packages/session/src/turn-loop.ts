// The loop of a turn: from the state of the session, model calls and tool calls until nothing is left to do.
//
// T1. A turn keeps nothing of its own: each step is read off the state, each outcome is a command. Killed anywhere, the
//     next attempt goes on from the log.
// T2. A stopped turn writes nothing more, and what its calls still do is cancelled. A superseded turn cancels nothing:
//     its successor recovers those calls.
import { callModel } from './model-step.ts';
import { nextStep } from './state.ts';
import { performCalls } from './tool-step.ts';
import type { Desk, Turn } from './turn.ts';

/** Rejects only when a step could not be committed. */
export async function runTurn(turn: Turn, desk: Desk): Promise<void> {
  while (!turn.signal.aborted && desk.state().turnId === turn.id) {
    const step = nextStep(desk.state());
    if (step.kind === 'tools') await performCalls(turn, desk, step.calls);
    else if (step.kind === 'model') await callModel(turn, desk);
    else return;
  }
}
