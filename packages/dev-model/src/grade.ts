// Grading: `[[grade RESULT if TEXT because WHY]]` in a rubric says how work is graded once the grading tool is offered.
// The first directive whose condition holds decides; the condition is looked for in what was said outside directives, so
// that a grade follows from the work and not from how often it was asked for.
import type { Conversation, OfferedTool } from './conversation.ts';
import { type Directive, DirectiveError, findDirectives } from './directive.ts';
import { isObject, type JsonObject } from './json.ts';
import type { Block } from './reply.ts';
import { sampleObject } from './tool-call.ts';

const TOOL = 'grade_outcome';
const DEFAULT: Grade = {
  result: 'satisfied',
  condition: null,
  why: 'The development model cannot judge: it accepts what no [[grade …]] in the rubric refuses.',
};

interface Grade {
  result: string;
  /** The text that must be there; null: always. */
  condition: string | null;
  why: string;
}

/** The call that grades, or null when no grading tool is offered. Throws DirectiveError for a grade it cannot read. */
export function gradeCall(conversation: Conversation): Block | null {
  const tool = conversation.tools.find((offered) => offered.name === TOOL);
  if (tool === undefined) return null;
  const found = textsOf(conversation).map(findDirectives);
  const said = found.map(({ rest }) => rest).join('\n');
  const grades = found
    .flatMap(({ directives }) => directives)
    .filter(({ name }) => name === 'grade')
    .map(parseGrade);
  const grade = grades.find(({ condition }) => condition === null || said.includes(condition)) ?? DEFAULT;
  return { kind: 'call', name: TOOL, argumentsJson: JSON.stringify(inputFor(tool, grade)) };
}

function parseGrade({ args }: Directive): Grade {
  const match = /^(\w+)(?:\s+if\s+(.+?))?(?:\s+because\s+([\s\S]+))?$/.exec(args);
  const [, result, condition, why] = match ?? [];
  if (result === undefined) {
    throw new DirectiveError(`grade ${args}`, 'wants a result, then if TEXT, then because WHY');
  }
  return { result, condition: condition ?? null, why: why ?? 'The rubric says so.' };
}

/** The result goes where the schema lists it, the reason into every text the tool asks for. */
function inputFor(tool: OfferedTool, { result, why }: Grade): JsonObject {
  const properties = isObject(tool.schema.properties) ? tool.schema.properties : {};
  const input = sampleObject(tool.schema, 0);
  for (const [name, property] of Object.entries(properties)) {
    if (!isObject(property)) continue;
    if (Array.isArray(property.enum)) {
      if (property.enum.includes(result)) input[name] = result;
    } else if (property.type === 'string') input[name] = name === 'result' ? result : why;
  }
  return Object.keys(properties).length === 0 ? { result, explanation: why } : input;
}

function textsOf({ entries }: Conversation): string[] {
  return entries.flatMap((entry) => (entry.role === 'user' ? entry.texts : [entry.text]));
}
