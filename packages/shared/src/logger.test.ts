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
    const logger = createLogger((line) => lines.push(line));
    logger.error('request.failed', {}, failed);
    logger.warn('report.failed', { cause: String(failed) });
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line).toContain('insert into');
    expect(lines[1]).not.toMatch(/what|wrote/);
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
