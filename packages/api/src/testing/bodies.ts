// Bodies a schema might be sent, made from the schema itself: mostly what it takes, often with something else in one place.
import fc, { type Arbitrary } from 'fast-check';
import type { z } from 'zod';

type Schema = z.core.$ZodType;

/** Ids that exist, by the prefix of their kind. */
export type KnownIds = Record<string, readonly string[]>;

const DEEPEST = 8;
const LONGEST = 40;

/** What no field of any schema expects. */
const junk: Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    -1,
    0,
    1.5,
    1e308,
    '',
    ' ',
    '\u0000',
    '\ud800',
    [],
    {},
    [[]],
    '__proto__',
  ),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.jsonValue({ maxDepth: 2 }),
  fc.constant('x'.repeat(5_000)),
);

export function bodiesOf(schema: Schema, ids: KnownIds): Arbitrary<unknown> {
  const valid = valuesOf(schema, { ids, depth: 0 });
  return fc.oneof({ weight: 3, arbitrary: valid }, { weight: 2, arbitrary: spoiled(valid) });
}

/** One place of the value holds something else. */
function spoiled(values: Arbitrary<unknown>): Arbitrary<unknown> {
  return fc
    .tuple(values, junk, fc.array(fc.nat(), { minLength: 1, maxLength: 5 }))
    .map(([value, other, way]) => {
      return replaceAt(value, way, other);
    });
}

function replaceAt(value: unknown, [step, ...rest]: number[], other: unknown): unknown {
  if (step === undefined || typeof value !== 'object' || value === null) return other;
  const keys = Object.keys(value);
  const key = keys[step % Math.max(1, keys.length)];
  if (key === undefined) return other;
  const inner = replaceAt(Reflect.get(value, key), rest, other);
  if (Array.isArray(value)) return value.map((item, index) => (String(index) === key ? inner : item));
  return { ...value, [key]: inner };
}

interface Place {
  ids: KnownIds;
  depth: number;
}

function valuesOf(schema: Schema, place: Place): Arbitrary<unknown> {
  const { def } = schema._zod;
  const of = (name: string): unknown => Reflect.get(def, name);
  const below = { ...place, depth: place.depth + 1 };
  if (place.depth > DEEPEST) return junk;
  switch (def.type) {
    case 'string':
      return textsOf(schema, place.ids);
    case 'number':
      return numbersOf(schema);
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'enum':
      return fc.constantFrom(...Object.values(asObject(of('entries'))));
    case 'literal':
      return fc.constantFrom(...asList(of('values')));
    case 'optional':
      return absentOr(valuesOf(asSchema(of('innerType')), place));
    case 'default':
      return absentOr(valuesOf(asSchema(of('innerType')), place));
    case 'nullable':
      return fc.oneof(
        { weight: 4, arbitrary: valuesOf(asSchema(of('innerType')), place) },
        fc.constant(null),
      );
    case 'readonly':
    case 'nonoptional':
    case 'catch':
      return valuesOf(asSchema(of('innerType')), place);
    case 'pipe':
      return fc.oneof(valuesOf(asSchema(of('in')), below), valuesOf(asSchema(of('out')), below));
    case 'union':
      return fc.oneof(...asList(of('options')).map((option) => valuesOf(asSchema(option), below)));
    case 'array':
      return fc.array(valuesOf(asSchema(of('element')), below), { maxLength: 3 });
    case 'record':
      return fc.dictionary(
        textsOf(asSchema(of('keyType')), place.ids),
        valuesOf(asSchema(of('valueType')), below),
        {
          maxKeys: 4,
        },
      );
    case 'object':
      return objectsOf(asObject(of('shape')), below);
    default:
      return junk;
  }
}

function objectsOf(shape: Record<string, unknown>, place: Place): Arbitrary<unknown> {
  const fields = Object.entries(shape).map(
    ([name, field]) => [name, valuesOf(asSchema(field), place)] as const,
  );
  return fc.record(Object.fromEntries(fields)).map((object) => {
    return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
  });
}

function absentOr(values: Arbitrary<unknown>): Arbitrary<unknown> {
  return fc.oneof(values, fc.constant(undefined));
}

function textsOf(schema: Schema, ids: KnownIds): Arbitrary<string> {
  const { minimum = 0, maximum = LONGEST, patterns, format } = bagOf(schema);
  const example = exampleOf(schema);
  const prefix = /^[a-z]+(?=_)/.exec(example)?.[0];
  const known = prefix === undefined ? [] : (ids[prefix] ?? []);
  const free = fc.string({
    unit: 'grapheme',
    minLength: Math.min(minimum, LONGEST),
    maxLength: Math.min(maximum, LONGEST),
  });
  const choices: Arbitrary<string>[] = [free];
  if (known.length > 0) choices.push(fc.constantFrom(...known), fc.constantFrom(...known));
  if (format === 'datetime')
    choices.push(
      fc
        .date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') })
        .map((date) => date.toISOString()),
    );
  if (format === 'url') choices.push(fc.webUrl());
  for (const pattern of patterns ?? []) {
    const matching = matchingOf(pattern);
    if (matching) choices.push(matching);
  }
  return fc.oneof(...choices);
}

function matchingOf(pattern: RegExp): Arbitrary<string> | null {
  try {
    return fc.stringMatching(pattern);
  } catch {
    // Of patterns that cannot be turned round, free text is tried.
    return null;
  }
}

function numbersOf(schema: Schema): Arbitrary<number> {
  const { minimum = -5, maximum = 1_000_000 } = bagOf(schema);
  const min = Math.max(minimum, -1_000_000);
  return fc.integer({ min: Math.ceil(min), max: Math.floor(Math.max(min, Math.min(maximum, 1_000_000))) });
}

interface Bag {
  minimum?: number;
  maximum?: number;
  patterns?: Set<RegExp>;
  format?: string;
}

function bagOf(schema: Schema): Bag {
  return schema._zod.bag;
}

function exampleOf(schema: Schema): string {
  const meta = 'meta' in schema && typeof schema.meta === 'function' ? schema.meta() : undefined;
  return typeof meta?.example === 'string' ? meta.example : '';
}

function asSchema(value: unknown): Schema {
  if (typeof value === 'object' && value !== null && '_zod' in value) return value as Schema;
  throw new TypeError('not a schema');
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
