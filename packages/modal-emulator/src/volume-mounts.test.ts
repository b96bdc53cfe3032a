import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseVolumeMounts, VolumeMountError, volumeWords } from './volume-mounts.ts';

const mount = (mountPath: string, subPath?: string) => ({
  volumeId: 'vo-1',
  mountPath,
  subPath,
  readOnly: false,
});

describe('parseVolumeMounts', () => {
  it('takes paths as they are meant', () => {
    expect(parseVolumeMounts([mount('//data/./set/', '/a//b')])).toEqual([
      { volumeId: 'vo-1', path: 'data/set', subPath: 'a/b', isReadOnly: false },
    ]);
    const [read] = parseVolumeMounts([{ ...mount('/data'), readOnly: true }]);
    expect(volumeWords(read === undefined ? [] : [read])).toEqual(['0', 'ro', '', 'data']);
  });

  it.each([
    '',
    'data',
    '/',
    '/.',
    '/data/..',
    '/../data',
    '/proc',
    '/proc/sys',
    '/sys/fs',
    '/dev/shm',
    '/__modal/run',
    '/usr',
    '/etc/',
    '/lib64',
    '/da\0ta',
    `/${'x'.repeat(1100)}`,
  ])('refuses the path %j', (path) => {
    expect(() => parseVolumeMounts([mount(path)])).toThrow(VolumeMountError);
  });

  it.each([[['/data', '/data/']], [['/data', '/data/set']], [['/a/b/c', '/a/x', '/a']]])(
    'refuses volumes in each other: %j',
    (paths) => {
      expect(() => parseVolumeMounts(paths.map((path) => mount(path)))).toThrow(/hide each other/);
    },
  );

  it('takes volumes beside each other', () => {
    expect(
      parseVolumeMounts(['/data', '/data2', '/data-set/a', '/usr/local/x'].map((path) => mount(path))),
    ).toHaveLength(4);
    expect(() => parseVolumeMounts(Array.from({ length: 33 }, (_, index) => mount(`/v${index}`)))).toThrow(
      /at most/,
    );
  });

  it('lets no step through that is none or leads up', () => {
    const step = fc.constantFrom('', '.', '..', 'a', 'b c', '-o', '*', "'", '\n', '…');
    const path = fc.array(step).map((steps) => `/${steps.join('/')}`);
    fc.assert(
      fc.property(path, path, (mountPath, subPath) => {
        try {
          const [parsed] = parseVolumeMounts([mount(mountPath, subPath)]);
          const steps = `${parsed?.path}/${parsed?.subPath}`.split('/');
          return (
            !steps.includes('..') &&
            !steps.includes('.') &&
            parsed?.path !== '' &&
            !steps.slice(0, -1).includes('')
          );
        } catch (cause) {
          return cause instanceof VolumeMountError;
        }
      }),
    );
  });
});
