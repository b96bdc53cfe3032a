// Query strings as the route's schema wants them: `k[]=a&k[]=b` and `k=a&k=b` are both lists; unknown keys are ignored.
import { ApiError } from '@capstan/schema/error';
import type { z } from 'zod';

export function readQuery(schema: z.ZodObject, search: URLSearchParams): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(schema.shape)) {
    const given = [...search.getAll(name), ...search.getAll(`${name}[]`)];
    if (given.length === 0) continue;
    if (isList(field)) values[name] = given;
    else if (given.length === 1) values[name] = given[0];
    else throw new ApiError('invalid_request', `${name}: given ${given.length} times; give it once`);
  }
  return values;
}

function isList(field: z.core.$ZodType): boolean {
  const { def } = field._zod;
  if (def.type === 'array') return true;
  // What is made of a list is given as one.
  if ('in' in def && isSchema(def.in)) return isList(def.in);
  return 'innerType' in def && isSchema(def.innerType) && isList(def.innerType);
}

function isSchema(value: unknown): value is z.core.$ZodType {
  return typeof value === 'object' && value !== null && '_zod' in value;
}
