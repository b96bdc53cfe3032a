import type { SandboxBoot, SandboxReplacement } from '@capstan/schema/events/sandbox-events';
import type { SandboxNews } from '@capstan/schema/sandbox-news';
import { describe, expect, it } from 'vitest';
import { toldWith, withNews } from './sandbox-news.ts';
import { Machine, typesOf } from './testing/machine.ts';

const LOST: SandboxReplacement = { restored: null, lost: { files: 'all', processes: false } };
const NEWS: SandboxNews[] = [
  { id: 'sevt_a', kind: 'replaced', replacement: LOST },
  { id: 'sevt_b', kind: 'image_failed', message: 'no such image' },
  { id: 'sevt_c', kind: 'replaced', replacement: LOST },
];

function atWork(): Machine {
  const machine = new Machine();
  machine.send({ type: 'user.message', content: [{ type: 'text', text: 'hello' }] });
  return machine;
}

describe('news of the sandbox', () => {
  it('come behind what happened, each once and in their order', () => {
    const machine = atWork();
    const begun = machine.begins();
    const told = withNews(machine.context(), begun, NEWS.slice(0, 2));
    expect(told.slice(0, begun.length)).toEqual(begun);
    expect(typesOf(told.slice(begun.length))).toEqual(['session.sandbox_replaced', 'session.error']);
    machine.live(told.slice(begun.length));
    expect(machine.state.told).toBe('sevt_b');
    const more = withNews(machine.context(), [], NEWS);
    expect(more.map(({ event }) => event.id)).toEqual(['sevt_c']);
    expect(withNews(machine.context(), [], NEWS.slice(0, 2))).toEqual([]);
  });

  it('are told with what is known of each', () => {
    const machine = atWork();
    machine.begins();
    const boot: SandboxBoot = {
      sandbox: 'created',
      started_at: '2026-01-01T00:00:00.000Z',
      duration_ms: 1_200,
      phases: [{ name: 'create', started_after_ms: 0, duration_ms: 1_200, repository_url: null }],
    };
    const url = 'https://git.example/a';
    const trouble = { type: 'repository_forbidden_error' as const, url, message: 'its host refuses it' };
    const told = withNews(
      machine.context(),
      [],
      [
        { id: 'sevt_a', kind: 'booted', boot },
        { id: 'sevt_b', kind: 'repository_failed', ...trouble },
      ],
    );
    machine.live([...told]);
    expect(machine.state.told).toBe('sevt_b');
    const error = {
      type: 'repository_forbidden_error',
      repository_url: url,
      message: trouble.message,
      retry_status: { type: 'retrying' },
    };
    expect(told.map(({ event }) => event)).toMatchObject([
      { id: 'sevt_a', type: 'span.sandbox_boot', ...boot },
      { id: 'sevt_b', type: 'session.error', error },
    ]);
  });

  it('wait until the session works', () => {
    const machine = new Machine();
    expect(withNews(machine.context(), [], NEWS)).toEqual([]);
  });
});

describe('a result', () => {
  const content = [{ type: 'text' as const, text: 'ok' }];
  const words = (missing: SandboxReplacement, isError = false) => {
    const [first, ...rest] = toldWith({ content, isError }, { ...new Machine().primary, missing }).content;
    expect(rest).toEqual(content);
    return first;
  };
  const restored = { snapshot_taken_at: '2026-01-01T00:00:00.000Z' };

  it('is as it is when nothing is missing', () => {
    const { primary } = new Machine();
    for (const isError of [true, false])
      expect(toldWith({ content, isError }, primary)).toEqual({ content, isError });
  });

  it('says first what is missing, and is an error when it was one', () => {
    const thread = { ...new Machine().primary, missing: LOST };
    for (const isError of [true, false])
      expect(toldWith({ content, isError }, thread)).toMatchObject({ isError });
  });

  it.each([
    [
      LOST,
      "Note: the session's sandbox had ended, so a new one was started. Files and shell variables from before are gone.",
    ],
    [
      { restored, lost: { files: 'since_snapshot', processes: true } },
      "Note: the session's sandbox had ended, so a new one was started from its snapshot of 2026-01-01T00:00:00.000Z. Changes to files after that are gone. Processes that were running have ended.",
    ],
    [
      { restored, lost: { files: 'none', processes: true } },
      "Note: the session's sandbox had ended, so a new one was started from its snapshot of 2026-01-01T00:00:00.000Z. Its files are all there. Processes that were running have ended.",
    ],
  ] satisfies [SandboxReplacement, string][])('says what of it: %j', (missing, text) => {
    expect(words(missing)).toEqual({ type: 'text', text });
  });
});
