// The ends of the logs of image builds. The SDK reads Modal's stream of a build for its result and drops the lines; they are
// overheard here, as that stream passes.
import type { ModalClientParams } from 'modal';
import { MAX_BUILD_LOG_BYTES } from '../port.ts';

type Middleware = NonNullable<ModalClientParams['grpcMiddleware']>[number];

export interface BuildLogs {
  /** For the client's `grpcMiddleware`. */
  middleware: Middleware;
  /** The end of an image's log, and forgets it; empty when nothing was heard. */
  take(imageId: string): string;
}

const BUILDS = '/modal.client.ModalClient/ImageJoinStreaming';
const MAX_LOGS = 200;

export function createBuildLogs(): BuildLogs {
  const logs = new Map<string, string>();
  const note = (imageId: string, text: string) => {
    const oldest = logs.keys().next().value;
    if (!logs.has(imageId) && logs.size >= MAX_LOGS && oldest !== undefined) logs.delete(oldest);
    // A character has at least one byte: cut to bytes where it is told.
    logs.set(imageId, ((logs.get(imageId) ?? '') + text).slice(-MAX_BUILD_LOG_BYTES));
  };
  return {
    async *middleware(call, options) {
      if (!call.responseStream) return yield* call.next(call.request, options);
      const imageId = call.method.path === BUILDS ? textOf(call.request, 'imageId') : '';
      for await (const response of call.next(call.request, options)) {
        if (imageId !== '') for (const text of linesOf(response)) note(imageId, text);
        yield response;
      }
    },
    take(imageId) {
      const log = logs.get(imageId) ?? '';
      logs.delete(imageId);
      return log;
    },
  };
}

function linesOf(response: unknown): string[] {
  if (typeof response !== 'object' || response === null || !('taskLogs' in response)) return [];
  return Array.isArray(response.taskLogs) ? response.taskLogs.map((line) => textOf(line, 'data')) : [];
}

function textOf(message: unknown, field: string): string {
  if (typeof message !== 'object' || message === null) return '';
  const value: unknown = Reflect.get(message, field);
  return typeof value === 'string' ? value : '';
}
