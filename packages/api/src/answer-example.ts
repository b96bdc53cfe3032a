// An answer as the API reference shows it: every member of the schema, with its own example where it names one.
import { z } from 'zod';

type Schema = z.core.$ZodType;

const DEEPEST = 16;

/** Undefined: nothing can be shown of it. */
export function answerExample(schema: Schema, depth = 0): unknown {
  const said = ownExample(schema);
  if (said !== undefined) return said;
  if (depth > DEEPEST) return undefined;
  const { def } = schema._zod;
  const of = (name: string): unknown => Reflect.get(def, name);
  const inner = () => inside(of('innerType'), depth);
  switch (def.type) {
    case 'string':
      return fitting(schema, TEXTS);
    case 'number':
      return fitting(schema, NUMBERS);
    case 'boolean':
      return true;
    case 'null':
      return null;
    case 'enum':
      return Object.values(Object(of('entries')))[0];
    case 'literal':
      return asList(of('values'))[0];
    // What may be null mostly is: nothing is archived, limited or failed in an example.
    case 'nullable':
      return null;
    case 'default':
    case 'readonly':
      return inner();
    // What is not always there is no part of the simplest answer.
    case 'optional':
      return undefined;
    case 'pipe':
      return inside(of('out'), depth) ?? inside(of('in'), depth);
    case 'union':
      return inside(asList(of('options'))[0], depth);
    case 'array': {
      const item = inside(of('element'), depth);
      return item === undefined ? [] : [item];
    }
    case 'object':
      return objectOf(Object(of('shape')), depth);
    case 'record':
      return {};
    default:
      return undefined;
  }
}

function objectOf(shape: Record<string, unknown>, depth: number): Record<string, unknown> {
  const members = Object.entries(shape).map(([name, field]) => [name, inside(field, depth)] as const);
  return Object.fromEntries(members.filter(([, value]) => value !== undefined));
}

function inside(value: unknown, depth: number): unknown {
  return isSchema(value) ? answerExample(value, depth + 1) : undefined;
}

function ownExample(schema: Schema): unknown {
  return schema instanceof z.ZodType ? z.globalRegistry.get(schema)?.example : undefined;
}

/** One of these is what a text of ours looks like, whatever its rules. */
const TEXTS = [
  'text',
  '2026-11-21T09:00:00Z',
  'https://example.com',
  '100',
  '/notes.md',
  'sha256:0',
  '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  'api.example.com',
  'Europe/Vienna',
  '0 9 * * 1-5',
];
const NUMBERS = [1, 0, 16, 100, 1_024];

function fitting<T>(schema: Schema, candidates: readonly T[]): T | undefined {
  return candidates.find((candidate) => z.safeParse(schema, candidate).success);
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && '_zod' in value;
}
