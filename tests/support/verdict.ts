// What became of a story: every accepted event is there once, every call has one result, no effect came twice, all is answered.
import type { SessionEvents } from './conversation.ts';
import type { Effects } from './effects.ts';
import type { Story } from './story.ts';

export const FAULTS = ['lost', 'duplicated', 'doubled', 'stuck', 'refused'] as const;
export type Fault = { kind: (typeof FAULTS)[number]; what: string };

export interface Played {
  story: Story;
  /** The ids of events whose send was answered. */
  accepted: readonly string[];
  events: SessionEvents;
  effects: Effects;
}

export function judge(played: Played): Fault[] {
  return [judgeAccepted, judgeCalls, judgeAnswers, judgeOutcomes, judgeEffects].flatMap((of) => of(played));
}

/** Turns that ended with an error instead of an answer. */
export function givenUp(events: SessionEvents): number {
  return events.filter(
    (event) =>
      // Another agent's thread that failed is over.
      event.type === 'session.thread_status_terminated' ||
      (event.type === 'session.status_idle' && event.stop_reason.type === 'retries_exhausted'),
  ).length;
}

function judgeAccepted({ accepted, events }: Played): Fault[] {
  const faults: Fault[] = [];
  for (const id of accepted) {
    const found = events.filter((event) => event.id === id);
    if (found.length === 0) faults.push({ kind: 'lost', what: `${id} was accepted and is not there` });
    for (const event of found) {
      if ('processed_at' in event && event.processed_at == null)
        faults.push({ kind: 'lost', what: `${id} was accepted and never taken` });
    }
  }
  const ids = events.map((event) => event.id);
  for (const id of new Set(ids.filter((one, index) => ids.indexOf(one) !== index)))
    faults.push({ kind: 'duplicated', what: `${id} is there more than once` });
  return faults;
}

function judgeCalls({ events }: Played): Fault[] {
  return events.flatMap((event): Fault[] => {
    if (event.type !== 'agent.tool_use' && event.type !== 'agent.custom_tool_use') return [];
    const results = events.filter(
      (other) =>
        (other.type === 'agent.tool_result' && other.tool_use_id === event.id) ||
        (other.type === 'user.custom_tool_result' && other.custom_tool_use_id === event.id),
    ).length;
    if (results === 1) return [];
    const kind = results === 0 ? ('lost' as const) : ('duplicated' as const);
    return [{ kind, what: `${event.type} ${event.id} has ${results} results` }];
  });
}

function judgeAnswers({ story, events }: Played): Fault[] {
  const texts = (type: string) =>
    events.filter((event) => event.type === type).map((event) => JSON.stringify(event));
  const asked = texts('user.message');
  const answered = texts('agent.message');
  return story.scenes.flatMap(({ messages, interrupt }) =>
    messages.flatMap(({ text, answer }, index): Fault[] => {
      const sent = asked.filter((one) => one.includes(JSON.stringify(text))).length;
      const answers = answered.filter((one) => wordEnds(one, answer)).length;
      // After a retry the model reads all that came in meanwhile, and answers the last of it.
      const joined = messages
        .slice(index + 1)
        .some((later) => answered.some((one) => wordEnds(one, later.answer)));
      const excused = joined || interrupt !== undefined || givenUp(events) > 0;
      return [
        ...(sent > 1
          ? [{ kind: 'duplicated' as const, what: `the message of "${answer}" is there ${sent} times` }]
          : []),
        ...(answers > 1
          ? [{ kind: 'duplicated' as const, what: `"${answer}" was said ${answers} times` }]
          : []),
        ...(answers === 0 && !excused ? [{ kind: 'lost' as const, what: `"${answer}" was never said` }] : []),
      ];
    }),
  );
}

/** Each is judged until it is met: once, at its second try. */
function judgeOutcomes({ story, events }: Played): Fault[] {
  const defined = events.filter((event) => event.type === 'user.define_outcome');
  return story.scenes.flatMap(({ outcome }): Fault[] => {
    if (outcome === undefined) return [];
    const found = defined.filter(({ description }) => description === outcome.description);
    const [one, ...more] = found;
    if (one === undefined) return [{ kind: 'lost', what: `the outcome "${outcome.answer}" is not there` }];
    if (more.length > 0)
      return [{ kind: 'duplicated', what: `the outcome "${outcome.answer}" is there twice` }];
    const results = events.flatMap((event) =>
      event.type === 'span.outcome_evaluation_end' && event.outcome_id === one.outcome_id
        ? [event.result]
        : [],
    );
    if (results.join() === 'needs_revision,satisfied' || givenUp(events) > 0) return [];
    const kind = results.length < 2 ? ('lost' as const) : ('duplicated' as const);
    return [{ kind, what: `the outcome "${outcome.answer}" was judged ${results.join(', ') || 'never'}` }];
  });
}

function judgeEffects({ story, events, effects }: Played): Fault[] {
  const results = events
    .filter((event) => event.type === 'agent.tool_result')
    .map((event) => JSON.stringify(event));
  return story.scenes.flatMap(({ messages }) =>
    messages.flatMap((said) =>
      said.effects.flatMap((effect): Fault[] => {
        const times = effects.count(effect);
        const most = said.denied.includes(effect) ? 0 : 1;
        if (times > most)
          return [{ kind: 'doubled', what: `${effect} happened ${times} times, allowed were ${most}` }];
        const claimed = results.some((one) => wordEnds(one, `did ${effect}`));
        return claimed && times === 0
          ? [{ kind: 'lost', what: `${effect} is said to be done and is not` }]
          : [];
      }),
    ),
  );
}

/** Whether the text has the words, and not as the beginning of longer ones. */
function wordEnds(text: string, words: string): boolean {
  const at = text.indexOf(words);
  return at >= 0 && !/[\w-]/.test(text[at + words.length] ?? '');
}
