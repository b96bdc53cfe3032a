import { expect, it } from 'vitest';
import { canonical } from './input-hash.ts';

it('what is no JSON stands in the canonical JSON of an input as JSON has it', () => {
  const input = { b: [undefined, 1], a: undefined };
  expect(canonical(input)).toBe('{"b":[null,1]}');
  expect(canonical(input)).toBe(JSON.stringify(input));
});
