// docs/compatibility.md, written from what became of the SDK's methods and from what is known to differ.
import { VENDOR_ONLY } from '../../packages/schema/src/vendor-only.ts';
import { DIFFERENCES, READINGS } from './differences.ts';
import type { MethodBook } from './methods.ts';

export function compatibilityPage(book: MethodBook): string {
  const served = book.names.filter((name) => book.outcome(name) === 'works');
  const refused = book.names.filter((name) => book.outcome(name) === '501');
  const rows = served.map((name) => {
    const difference = DIFFERENCES[name];
    return `| \`client.${name}\` | ${difference === undefined ? 'works' : 'differs'} | ${difference ?? ''} |`;
  });
  return `${[
    '# Compatibility with the official SDK',
    '',
    'Every method of `@anthropic-ai/sdk` 1.11.0 and what it does against Capstan. The suite that calls them,',
    '`tests/compat/every-method.test.ts`, writes this page; it fails when a method has no row or another outcome.',
    'The core flow also runs with 0.90.0, 0.120.0, 0.137.0 and 1.0.0 (`tests/compat/older-clients.test.ts`).',
    '',
    `${served.length} methods work, ${refused.length} answer 501.`,
    '',
    '## Served',
    '',
    '| Method | Outcome | What differs |',
    '| --- | --- | --- |',
    ...rows,
    '',
    '## Readings of the specification',
    '',
    'Where the documentation of the API is silent or ambiguous, this server does what a client survives best:',
    '',
    ...READINGS.map((reading) => `- ${reading}`),
    '',
    "## Only in the vendor's cloud: 501",
    '',
    'These answer status 501, `not_implemented_error`, with the sentence below:',
    '',
    ...VENDOR_ONLY.map(({ path, because }) => `- \`${path}\`: ${because}.`),
    '',
    '| Method | Outcome |',
    '| --- | --- |',
    ...refused.map((name) => `| \`client.${name}\` | 501 |`),
  ].join('\n')}\n`;
}
