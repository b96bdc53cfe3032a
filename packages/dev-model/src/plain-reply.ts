// The answer to a request without a script: do the one plain thing asked, show what came of it, or say what would work.
import type { Conversation, OfferedTool, Turn } from './conversation.ts';
import { type Intent, parseIntent } from './intent.ts';
import type { Block } from './reply.ts';
import { describeResults } from './result-text.ts';
import { callFor, sampleObject } from './tool-call.ts';

/** `texts` are the user's latest, oldest first; the last that is understood decides. */
export function plainReply(conversation: Conversation, turn: Turn, unknownDirectives: string[]): Block[] {
  if (turn.results.length > 0) return [said(describeResults(turn))];
  const intent = intentOf(turn.texts);
  const tools = conversation.toolChoice === 'none' ? [] : conversation.tools;
  const call = intent === null ? null : callFor(intent, toolsAllowed(conversation, tools));
  if (call !== null) return [{ kind: 'call', name: call.name, argumentsJson: JSON.stringify(call.input) }];
  const forced = forcedTool(conversation);
  if (forced !== null) {
    return [
      { kind: 'call', name: forced.name, argumentsJson: JSON.stringify(sampleObject(forced.schema, 0)) },
    ];
  }
  if (intent?.kind === 'greet') return [said("Hi! I'm Capstan's development model.")];
  if (intent?.kind === 'say') return [said(intent.text)];
  return [said(helpText(intent, tools, unknownDirectives))];
}

const said = (text: string): Block => ({ kind: 'text', text });

function intentOf(texts: string[]): Intent | null {
  for (const text of texts.toReversed()) {
    const intent = parseIntent(text);
    if (intent !== null) return intent;
  }
  return null;
}

function toolsAllowed(conversation: Conversation, tools: OfferedTool[]): OfferedTool[] {
  const choice = conversation.toolChoice;
  return typeof choice === 'object' ? tools.filter((tool) => tool.name === choice.name) : tools;
}

/** The tool a request insists on, when nothing said picks one. */
function forcedTool({ toolChoice, tools }: Conversation): OfferedTool | null {
  if (toolChoice === 'required') return tools[0] ?? null;
  if (typeof toolChoice === 'string') return null;
  return tools.find((tool) => tool.name === toolChoice.name) ?? null;
}

function helpText(intent: Intent | null, tools: OfferedTool[], unknownDirectives: string[]): string {
  const missing =
    intent === null
      ? "I'm Capstan's development model. I answer without a model provider and cannot reason"
      : "I'm Capstan's development model. I understand what you ask, but this agent has no tool for it";
  const offered = tools.map((tool) => tool.name).join(', ');
  const lines = [
    `${missing}; I only understand a few plain requests:`,
    '',
    '- `Run: uname -a`, or a fenced ```bash block',
    '- `write "some text" to notes.txt`',
    '- `read notes.txt`',
    '- `replace "some" with "more" in notes.txt`',
    '- `list files in .`',
    '- `search for text in .`',
    '',
    offered === '' ? 'This agent offers me no tools.' : `The tools this agent offers me: ${offered}.`,
    '',
    'To talk to a real model, put OPENAI_API_KEY or ANTHROPIC_API_KEY in `.dev.vars` and restart `pnpm dev`.',
  ];
  const unknown = unknownDirectives.map((name) => `[[${name}]]`).join(', ');
  if (unknown !== '') lines.push('', `There is no such directive: ${unknown}. docs/dev-model.md lists them.`);
  return lines.join('\n');
}
