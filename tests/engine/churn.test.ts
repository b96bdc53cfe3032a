// Restarts without end in the middle of one turn, as deployments bring them: the turn goes on from where it was, and what
// it had begun is not begun again. The emulator stands for Modal, which our deployments do not restart.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Conversation, count, textOf } from '../support/conversation.ts';
import { Effects } from '../support/effects.ts';
import { watch } from '../support/player.ts';
import type { Target } from '../support/processes.ts';
import { SandboxView } from '../support/sandbox-view.ts';
import { Storm } from '../support/storm.ts';

const OURS: readonly Target[] = ['workers', 'workerd', 'gateway', 'dev-model'];
/** A hundred take six minutes on a busy machine; the engine's limit is far beyond. */
const RESTARTS = 25;
/** Between them a turn passes through all it does. */
const MOMENTS = [
  'sandbox.start_run:after',
  'append.agent.tool_result:before',
  'model.call',
  'append.agent.tool_use:after',
  'sandbox.start_run:before',
  'append.session.status_running:before',
  'model.end',
  'append.agent.tool_result:after',
];

let storm: Storm;
const left = new AbortController();
beforeAll(async () => {
  storm = await Storm.begin();
}, 240_000);
afterAll(async () => {
  left.abort();
  await storm.end();
});

async function begin(text: string): Promise<Conversation> {
  const { client, agents, environment } = storm.stage;
  const session = await Conversation.begin(client, { agent: agents.free, environment_id: environment }, text);
  void watch(client, session.id, left.signal);
  return session;
}

const bash = (command: string) => `[[tool bash ${JSON.stringify({ command, timeout_ms: 600_000 })}]]`;

describe('one turn', () => {
  it('completes when everything is restarted 20 times in it', { timeout: 600_000 }, async () => {
    const words = Array.from({ length: 24 }, (_, index) => `churn-${index}`);
    const session = await begin(
      `${words.map((word) => bash(Effects.script(word, 1))).join(' ')} [[say all done]]`,
    );
    for (let restart = 0; restart < 20; restart++) {
      const point = MOMENTS[restart % MOMENTS.length] ?? '';
      const kill = () => OURS.forEach((target) => void storm.kill(target));
      await storm.server.strike({ point, session: session.id, kill });
    }
    const events = await session.ended(1, 120_000);
    expect(textOf(events, 'agent.message')).toContain('all done');
    expect(count(events, 'agent.tool_use')).toBe(words.length);
    expect(count(events, 'agent.tool_result')).toBe(words.length);
    expect(words.filter((word) => storm.stage.effects.count(word) !== 1)).toEqual([]);
  });

  it(`completes when the runtime is restarted ${RESTARTS} times in one command`, {
    timeout: 120_000 + RESTARTS * 20_000,
  }, async () => {
    const wait =
      'echo began >> /workspace/effects; until [ -e /workspace/go ]; do sleep 0.1; done; echo over';
    const session = await begin(`${bash(wait)} [[say all done]]`);
    for (let restart = 0; restart < RESTARTS; restart++) {
      const point = restart === 0 ? 'sandbox.start_run:before' : 'tool.recover:before';
      await storm.server.strike({
        point,
        session: session.id,
        afterMs: 50,
        kill: () => storm.kill('workerd'),
      });
    }
    await letGo(session.id);
    const events = await session.ended(1, 120_000);
    expect(textOf(events, 'agent.tool_result')).toContain('over');
    expect(count(events, 'agent.tool_result')).toBe(1);
    expect(textOf(events, 'agent.message')).toContain('all done');
    expect(storm.stage.effects.count('began')).toBe(1);
  });
});

/** What the command waits for. */
async function letGo(sessionId: string): Promise<void> {
  const view = new SandboxView(storm.stateDir);
  const sandboxId = await view.of(sessionId);
  if (sandboxId === null) throw new Error('The command has lost its sandbox');
  await view.sandboxes.writeFile({ sandboxId, path: '/workspace/go', content: new Uint8Array() });
}
