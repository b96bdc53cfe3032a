import { expect, it } from 'vitest';
import { billFor } from './bill.ts';
import type { OpenSpan } from './state.ts';

const reserved = { nanoUsd: 0, tokens: 50_100, input: 100, output: null };
const span: OpenSpan = {
  id: 'sevt_start',
  kind: 'model',
  provider: 'openai',
  model: 'real',
  price: null,
  reserved,
  startedAt: 5_000,
};

it.each([
  ['nothing, on a clock that went back', -4_000, 0],
  ['a hundred tokens for each second', 100_000, 10_000],
  ['a whole token for a part of one', 1, 1],
  ['no more than was set aside', 900_000, 50_000],
])('a call that never said what it took is billed for its prompt, and for a reply of %s', (_, ms, output) => {
  const usage = { input_tokens: 100, output_tokens: output };
  expect(billFor(span, 'untold', span.startedAt + ms)).toMatchObject({ usage, estimated: true });
});
