// One JSON line per operation: a dotted `event`, its outcome and ids. Never message text, never a secret.
export interface Fields {
  [key: string]: string | number | boolean | null | undefined;
}

export interface Logger {
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields, cause?: unknown): void;
  /** A logger whose lines carry these fields too. */
  child(fields: Fields): Logger;
}

export type Sink = (line: string) => void;

export function createLogger(sink: Sink, bound: Fields = {}): Logger {
  const write = (level: string, event: string, fields: Fields = {}) =>
    sink(JSON.stringify({ at: new Date().toISOString(), level, event, ...bound, ...told(fields) }));
  return {
    info: (event, fields) => write('info', event, fields),
    warn: (event, fields) => write('warn', event, fields),
    error: (event, fields, cause) => write('error', event, { ...fields, ...describeCause(cause) }),
    child: (fields) => createLogger(sink, { ...bound, ...fields }),
  };
}

/** A failure may be told as a field, too. */
function told(fields: Fields): Fields {
  const each = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === 'string' ? withoutParams(value) : value,
  ]);
  return Object.fromEntries(each);
}

function describeCause(cause: unknown): Fields {
  if (cause === undefined) return {};
  if (!(cause instanceof Error)) return { cause: typeof cause };
  const inner = cause.cause instanceof Error ? { cause_of: sentenceOf(cause.cause) } : {};
  return { cause: sentenceOf(cause), stack: cause.stack, ...inner };
}

function sentenceOf({ name, message }: Error): string {
  return `${name}: ${message}`;
}

/** A query that failed names its parameters, which are what people wrote: the log is not told. */
function withoutParams(text: string): string {
  return text.replace(/(Failed query: [\s\S]*?\nparams: )[\s\S]*?(?=\n {4}at |$)/, '$1[not logged]');
}

export const silentLogger: Logger = createLogger(() => {});

/** Lines go to the console, which every host collects. */
// biome-ignore lint/suspicious/noConsole: the one place that writes to the console
export const consoleLogger: Logger = createLogger((line) => console.log(line));
