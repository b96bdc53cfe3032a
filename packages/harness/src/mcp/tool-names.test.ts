import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modelToolName } from './tool-names.ts';

describe('modelToolName', () => {
  it.each([
    ['docs', 'find', 'mcp__docs__find'],
    ['my-docs', 'list_all', 'mcp__my-docs__list_all'],
    ['docs', '_find', 'mcp__docs___find'],
    ['a', 'x'.repeat(56), `mcp__a__${'x'.repeat(56)}`],
  ])('calls %s, %s as they are: %s', (server, name, told) => {
    expect(modelToolName({ server, name })).toBe(told);
  });

  it.each([
    ['my docs', 'find'],
    ['docs', 'find.all'],
    ['docs_', 'find'],
    ['do__cs', 'find'],
    ['docs', `x__${'0'.repeat(10)}`],
    ['docs', 'ö'],
    ['', ''],
    ['s'.repeat(255), 't'.repeat(255)],
    ['a', 'x'.repeat(57)],
  ])('gives %s, %s a name with a hash', (server, name) => {
    expect(modelToolName({ server, name })).toMatch(/^mcp__[A-Za-z0-9_-]+__[0-9a-z]{10}$/);
  });

  const part = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'b', '_', '-', '0'), maxLength: 8 }),
    fc.string({ unit: 'binary', maxLength: 80 }),
  );
  const tool = fc.record({ server: part, name: part });

  it('gives what every provider takes', () => {
    fc.assert(
      fc.property(tool, (ref) => {
        expect(modelToolName(ref)).toMatch(/^mcp__[A-Za-z0-9_-]{1,59}$/);
        expect(modelToolName({ ...ref })).toBe(modelToolName(ref));
      }),
      { numRuns: 500 },
    );
  });

  it('gives two tools two names', () => {
    fc.assert(
      fc.property(tool, tool, (one, other) => {
        fc.pre(one.server !== other.server || one.name !== other.name);
        expect(modelToolName(one)).not.toBe(modelToolName(other));
      }),
      { numRuns: 3_000 },
    );
  });

  it('cannot be made to give a tool the name that another has with its hash', () => {
    fc.assert(
      fc.property(tool, (ref) => {
        const [, server = '', name = ''] = /^mcp__(.*?)__(.*)$/.exec(modelToolName(ref)) ?? [];
        fc.pre(server !== ref.server || name !== ref.name);
        expect(modelToolName({ server, name })).not.toBe(modelToolName(ref));
      }),
      { numRuns: 500 },
    );
  });
});
