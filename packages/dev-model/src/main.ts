// The development model as a process: CAPSTAN_DEV_MODEL_PORT says where, one JSON line says that it listens.
import { startDevModel } from './dev-model.ts';

const DEFAULT_PORT = '0';

function readPort(): number {
  const text = process.env.CAPSTAN_DEV_MODEL_PORT ?? DEFAULT_PORT;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new RangeError(`CAPSTAN_DEV_MODEL_PORT is "${text}"; it must be a port from 0 to 65535.`);
}

/** What went wrong in a sentence that says how to mend it. */
function explain(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return `Port ${process.env.CAPSTAN_DEV_MODEL_PORT} is taken; set CAPSTAN_DEV_MODEL_PORT to a free one.`;
  }
  return error instanceof Error ? error.message : String(error);
}

try {
  const model = await startDevModel({ port: readPort() });
  process.stdout.write(`${JSON.stringify({ event: 'dev-model.listening', url: model.url })}\n`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void model.stop());
} catch (error) {
  process.stderr.write(`${JSON.stringify({ event: 'dev-model.failed', message: explain(error) })}\n`);
  process.exitCode = 1;
}
