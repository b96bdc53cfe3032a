import { describe, expect, it } from 'vitest';
import { liveProblem } from './live-problem.ts';

const complete = { MODAL_LIVE: '1', MODAL_TOKEN_ID: 'ak', MODAL_TOKEN_SECRET: 'as' };

describe('liveProblem', () => {
  it('lets nothing be spent by accident, and names what is missing', () => {
    expect(liveProblem(complete)).toBeNull();
    expect(liveProblem({ ...complete, MODAL_LIVE: 'true' })).toMatch(/set MODAL_LIVE=1/);
    expect(liveProblem({ MODAL_LIVE: '1' })).toMatch(/^MODAL_TOKEN_ID and MODAL_TOKEN_SECRET missing/);
    expect(liveProblem({ ...complete, MODAL_TOKEN_SECRET: '' })).toMatch(/^MODAL_TOKEN_SECRET missing/);
    expect(liveProblem({ ...complete, MODAL_SERVER_URL: 'http://127.0.0.1:1' })).toMatch(/unset it/);
  });
});
