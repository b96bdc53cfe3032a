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
    ['create', { name: 'a', image: 'debian\nRUN x' }, /^image: must be the reference/],
    ['create', { name: 'a', imageId: 'im/1' }, /^imageId: must be/],
    ['create', { name: 'a', cpu: 0.1 }, /^cpu: /],
    ['create', { name: 'a', gpu: 'A100:99' }, /^gpu: must be/],
    ['buildImage', { lines: ['COPY . /'] }, /^lines.0: must be a RUN, ENV or WORKDIR/],
    ['buildImage', { lines: ['RUN a', 'RUN b\nFROM c'] }, /^lines.1: must be one line/],
    ['buildImage', { lines: ['RUN a \\ '] }, /^lines.0: must be one line/],
    ['buildImage', { base: '-x', lines: [] }, /^base: must be the reference/],
    ['snapshot', { sandboxId: 'sb-1', snapshotId: '../x' }, /^snapshotId: must be/],
    ['expose', { sandboxId: 'sb-1', port: 0 }, /^port: /],
    ['setNetwork', { sandboxId: 'sb-1', network: { type: 'open' } }, /^network/],
  ] as const)('refuses %s of %o, naming the argument', (operation, args, message) => {
    const refused = () => checkArgs(operation, args);
    expect(refused).toThrow(message);
    expect(refused).toThrow(expect.objectContaining({ code: 'invalid' }));
  });

  it.each(['a.example', '*.a.example', 'a.example:8443', 'xn--bcher-kva.example', 'localhost', '192.0.2.1'])(
    'takes %s for a host',
    (host) => {
      const network = { type: 'limited', allowedHosts: [host] };
      expect(checkArgs('setNetwork', { sandboxId: 'sb-1', network })).toMatchObject({ network });
    },
  );

  it.each([
    '',
    '*',
    'A.example',
    'a..example',
    'a.example.',
    'a.*.example',
    '*a.example',
    '-a.example',
    'a.example:0',
    'a.example:65536',
    'a.example:',
    'https://a.example',
    'a.example/x',
    'a b',
    'ä.example',
    '[::1]',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(130)}example`,
  ])('takes %s for no host', (host) => {
    const network = { type: 'limited', allowedHosts: [host] };
    expect(() => checkArgs('setNetwork', { sandboxId: 'sb-1', network })).toThrow(
      /^network.allowedHosts.0: /,
    );
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
