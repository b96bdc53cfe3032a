// A scripted conversation: what a user does in one session, and what has to be true of it afterwards, whatever died.
import { Effects } from './effects.ts';
import type { Random } from './random.ts';

export interface Story {
  /** The agent asks before it runs a command. */
  asks: boolean;
  /** Somebody looks at the session all the time; otherwise it has to go on by itself. */
  watched: boolean;
  scenes: readonly Scene[];
  end: 'archive' | 'delete';
}

/** What is said at once; when all of it is answered the next scene begins. */
export interface Scene {
  messages: readonly Said[];
  /** An outcome that is met at the second try. */
  outcome?: Wanted;
  /** The session has a budget that may stop it in the middle, and is raised then. */
  budgeted?: true;
  /** At the end a fork of the session is made, in which this is said. */
  forked?: Said;
  /** The turn is interrupted so long after so many appends. */
  interrupt?: { appends: number; ms: number };
}

export interface Wanted {
  description: string;
  rubric: string;
  /** The answer says it exactly once. */
  answer: string;
}

export interface Said {
  text: string;
  /** The answer says it exactly once. */
  answer: string;
  /** Commands that leave these words behind, at most once each. */
  effects: readonly string[];
  /** Commands that the user does not allow. */
  denied: readonly string[];
}

/** Together they reach every failpoint of a turn, soon. */
export const SHORT_SCENES = ['text', 'thought', 'bash', 'parallel', 'custom', 'queued', 'interrupt'] as const;
export const LONG_SCENES = ['large', 'delegated', 'outcome', 'budget', 'fork'] as const;
export const SCENES = [...SHORT_SCENES, ...LONG_SCENES] as const;
export type SceneKind = (typeof SCENES)[number];

/** `name` makes its words unlike those of all other stories. */
export function tellStory(name: string, random: Random, kinds?: readonly SceneKind[]): Story {
  const told = kinds ?? Array.from({ length: 2 + random.below(3) }, () => random.pick(SCENES));
  const asks = random.next() < 0.3;
  return {
    asks,
    watched: random.next() < 0.7,
    scenes: told.map((kind, index) => tellScene(kind, { word: `${name}-${index}`, asks, random })),
    end: random.pick(['archive', 'delete']),
  };
}

interface Telling {
  word: string;
  asks: boolean;
  random: Random;
}

function tellScene(kind: SceneKind, telling: Telling): Scene {
  const { word, random } = telling;
  const say = `[[say done ${word}]]`;
  const plain = (text: string, answer = `done ${word}`): Said => ({ text, answer, effects: [], denied: [] });
  switch (kind) {
    case 'text':
      return { messages: [plain(`[[delay 20]] [[words 10]] ${say}`)] };
    case 'thought':
      return { messages: [plain(`[[think about ${word}]] [[ttft ${random.below(200)}]] ${say}`)] };
    case 'custom':
      return { messages: [plain(`[[tool ticket {"title":"${word}"}]] ${say}`)] };
    case 'queued':
      return {
        messages: [1, 2, 3].map((part) => plain(`[[say done ${word}-${part}.]]`, `done ${word}-${part}.`)),
      };
    case 'bash':
      return {
        messages: [withCommands(telling, { count: 1 + random.below(3), together: false, seconds: 0.2 })],
      };
    case 'parallel':
      return { messages: [withCommands(telling, { count: 3, together: true, seconds: 0.3 })] };
    case 'large':
      // Longer than a row of the log.
      return { messages: [plain(`${say} ${`${word} `.repeat(300_000 / (word.length + 1))}`)] };
    case 'delegated':
      return { messages: [withDelegation(telling)] };
    case 'outcome':
      return {
        messages: [],
        outcome: {
          description: `[[say a try at ${word}]]`,
          rubric: `[[grade satisfied if done ${word}]] [[grade needs_revision because ${say}]]`,
          answer: `done ${word}`,
        },
      };
    case 'budget':
      return {
        messages: [withCommands(telling, { count: 2, together: false, seconds: 0.1 })],
        budgeted: true,
      };
    case 'fork':
      return {
        messages: [plain(say)],
        forked: plain(`[[say done ${word}-fork]]`, `done ${word}-fork`),
      };
    case 'interrupt':
      return {
        messages: [withCommands(telling, { count: 2, together: random.next() < 0.5, seconds: 1 })],
        interrupt: { appends: 1 + random.below(4), ms: random.pick([0, 500]) },
      };
  }
}

/** Another agent runs the command, and answers with a script for who asked it. */
function withDelegation(telling: Telling): Said {
  const { text, ...said } = withCommands(telling, { count: 1, together: false, seconds: 0.1 });
  const answer = `[[say done ${telling.word}]]`;
  const work = text.replace(answer, `[[say ${answer}]]`);
  return {
    ...said,
    text: `[[tool delegate ${JSON.stringify({ agent: 'Scout', message: work })}]] [[say asked]]`,
  };
}

interface Commands {
  count: number;
  together: boolean;
  seconds: number;
}

function withCommands({ word, asks, random }: Telling, { count, together, seconds }: Commands): Said {
  const effects = Array.from({ length: count }, (_, index) => `${word}-e${index}`);
  const calls = effects.map((effect) => {
    const command = Effects.script(effect, seconds);
    return `[[tool bash ${JSON.stringify({ command })}]]`;
  });
  return {
    text: `${together ? '[[parallel]] ' : ''}${calls.join(' ')} [[say done ${word}]]`,
    answer: `done ${word}`,
    effects,
    denied: asks ? effects.filter(() => random.next() < 0.25) : [],
  };
}
