import { ROUTES } from '@capstan/schema/routes';
import { describe, expect, it } from 'vitest';
import { llmsText } from './llms-text.ts';

describe('llms.txt', () => {
  const lines = llmsText().split('\n');

  it('has a line for every route, with what it takes', () => {
    for (const { method, path, summary } of ROUTES) {
      expect(
        lines.filter((line) => line.startsWith(`- \`${method.toUpperCase()} ${path}\`: ${summary}`)),
      ).toHaveLength(1);
    }
    const creation = lines.find((line) => line.startsWith('- `POST /v1/agents`'));
    expect(creation).toMatch(/body: .*name\*.*model\*.*description[,;)]/);
  });

  it('is short enough to be read whole', () => {
    expect(llmsText().length).toBeLessThan(40_000);
  });
});
