// What a model is told of the memory stores of its session: where they lie, what they are for, and how they are kept.
import type { AttachedMemoryStore } from '@capstan/schema/resources';
import type { ModelCall } from '@capstan/session/harness';
import { worksInSandbox } from '../tools/definitions.ts';
import { defused } from './system-notice.ts';

const INTRODUCTION =
  'You have memory that outlives this session: directories of text files, shared with other sessions. Look through them ' +
  'before you begin, and write down what will be worth knowing later. What you write, rename or delete there is kept when ' +
  'the call that does it ends; a file is UTF-8 text of at most 100 KB.';

/** The same call, its agent told of the memory stores. An agent that has no tools to reach them is told of none. */
export function withMemories(call: ModelCall, stores: readonly AttachedMemoryStore[]): ModelCall {
  const { agent, builtIn } = call;
  if (stores.length === 0 || !builtIn || !worksInSandbox(agent)) return call;
  const notice = `${INTRODUCTION}\n\n${stores.map(lineOf).join('\n')}`;
  return { ...call, agent: { ...agent, system: agent.system ? `${agent.system}\n\n${notice}` : notice } };
}

function lineOf({ mountPath, name, description, access, instructions }: AttachedMemoryStore): string {
  const readOnly = access === 'read_only' ? ' It is read-only: what you change there is undone.' : '';
  const about = description === '' ? '' : ` ${defused(description)}`;
  const how = instructions ? `\n  Instructions: ${defused(instructions)}` : '';
  return `- ${mountPath} (${defused(name)}):${about}${readOnly}${how}`;
}
