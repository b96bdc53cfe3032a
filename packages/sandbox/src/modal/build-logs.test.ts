import { describe, expect, it } from 'vitest';
import { MAX_BUILD_LOG_BYTES } from '../port.ts';
import { type BuildLogs, createBuildLogs } from './build-logs.ts';

const BUILD = '/modal.client.ModalClient/ImageJoinStreaming';
const descriptor = { requestStream: false, responseStream: true, options: {} } as const;

async function hear(
  logs: BuildLogs,
  lines: string[],
  { path = BUILD, imageId = 'im-1' } = {},
): Promise<unknown[]> {
  const heard: unknown[] = [];
  const call = {
    method: { ...descriptor, path },
    requestStream: false,
    request: { imageId },
    responseStream: true,
    async *next() {
      for (const data of lines) yield { taskLogs: [{ data }] };
      yield { result: { status: 2 } };
    },
  } as const;
  for await (const response of logs.middleware(call, {})) heard.push(response);
  return heard;
}

describe('build logs', () => {
  it('are heard as a build goes by, once', async () => {
    const logs = createBuildLogs();
    const heard = await hear(logs, ['one\n', 'two\n']);
    expect(heard).toHaveLength(3);
    await hear(logs, ['other\n'], { imageId: 'im-2' });
    expect(logs.take('im-1')).toBe('one\ntwo\n');
    expect(logs.take('im-1')).toBe('');
    expect(logs.take('im-2')).toBe('other\n');
  });

  it('keep the end of a long one, and nothing of other streams', async () => {
    const logs = createBuildLogs();
    await hear(logs, ['x'.repeat(10_000), 'end']);
    expect(logs.take('im-1')).toBe(`${'x'.repeat(MAX_BUILD_LOG_BYTES - 3)}end`);
    await hear(logs, ['not mine'], { path: '/modal.client.ModalClient/AppGetLogs' });
    expect(logs.take('im-1')).toBe('');
  });
});
