import { describe, expect, it } from 'vitest';
import { checkArgs, checkResult, isOperation } from './arguments.ts';
import { isSandboxError, SandboxError } from './error.ts';
import { MAX_CHUNK_BYTES, MAX_WAIT_MS } from './port.ts';

const run = { sandboxId: 'sb-1', runId: 'run_1', command: 'true', timeoutMs: 1000 };

describe('arguments', () => {
  it('accepts what the port describes and drops what it does not know', () => {
    expect(checkArgs('startRun', { ...run, tenant: 'x' })).toEqual(run);
    expect(
      checkArgs('startRun', { ...run, command: ['ls', '-l'], shell: 'main', waitMs: MAX_WAIT_MS }),
    ).toBeTruthy();
  });

  it.each([
    ['startRun', { ...run, runId: 'a/b' }, /^runId: must be/],
    ['startRun', { ...run, runId: '' }, /^runId: must be/],
    ['startRun', { ...run, sandboxId: '..' }, /^sandboxId: must be/],
    ['startRun', { ...run, shell: '../x' }, /^shell: must be/],
    ['startRun', { ...run, cwd: 'tmp' }, /^cwd: must be an absolute path/],
    ['startRun', { ...run, cwd: '/a\0b' }, /^cwd: must not contain a NUL/],
    ['startRun', { ...run, waitMs: MAX_WAIT_MS + 1 }, /^waitMs: /],
    ['startRun', { ...run, timeoutMs: 0 }, /^timeoutMs: /],
    ['startRun', { ...run, maxBytes: MAX_CHUNK_BYTES + 1 }, /^maxBytes: /],
    ['readRun', { ...run, offset: -1 }, /^offset: /],
    ['readRun', { ...run, offset: 1.5 }, /^offset: /],
    ['writeFile', { sandboxId: 'sb-1', path: '/x', content: 'text' }, /^content: must be bytes/],
    ['exec', null, /^arguments: /],
  ] as const)('refuses %s of %o, naming the argument', (operation, args, message) => {
    const refused = () => checkArgs(operation, args);
    expect(refused).toThrow(message);
    expect(refused).toThrow(expect.objectContaining({ code: 'invalid' }));
  });

  it('calls content over the limit too large', () => {
    const content = new Uint8Array(MAX_CHUNK_BYTES + 1);
    const refused = () => checkArgs('writeFile', { sandboxId: 'sb-1', path: '/x', content });
    expect(refused).toThrow(expect.objectContaining({ code: 'too_large' }));
  });

  it('does not take an answer that is none', () => {
    expect(() => checkResult('status', { state: 'asleep' })).toThrow(/answer to status/);
    expect(checkResult('findByName', null)).toBeNull();
  });

  it('knows its operations by their own names alone', () => {
    expect(['exec', 'toString', '__proto__', ''].map(isOperation)).toEqual([true, false, false, false]);
  });
});

describe('SandboxError', () => {
  it('is recognised by its shape', () => {
    const arrived = Object.assign(new Error('lost its class'), { name: 'SandboxError', code: 'gone' });
    expect(isSandboxError(arrived, 'gone')).toBe(true);
    expect(isSandboxError(arrived, 'conflict')).toBe(false);
    expect(isSandboxError(new SandboxError('timeout', 'x'))).toBe(true);
    expect(isSandboxError(Object.assign(new Error('x'), { name: 'SandboxError', code: 'toString' }))).toBe(
      false,
    );
    expect(isSandboxError({ name: 'SandboxError', code: 'gone' })).toBe(false);
  });
});
