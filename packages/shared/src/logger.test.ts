import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';

describe('the log', () => {
  it('names a query that failed, and none of what it carried', () => {
    const lines: string[] = [];
    const cause = new Error('the database is away');
    const failed = new Error(
      'Failed query: insert into "notes" values (?, ?)\nparams: 7,what\nsomebody wrote',
      { cause },
    );
    createLogger((line) => lines.push(line)).error('request.failed', {}, failed);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('insert into');
    expect(lines[0]).toContain('the database is away');
    expect(lines[0]).toContain('logger.test.ts');
    expect(lines[0]).not.toMatch(/what|wrote/);
  });

  it('tells the stack of any other failure as it is', () => {
    const lines: string[] = [];
    const failed = new TypeError('params: are fine here');
    createLogger((line) => lines.push(line)).error('request.failed', {}, failed);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      cause: 'TypeError: params: are fine here',
      stack: failed.stack,
    });
  });
});
