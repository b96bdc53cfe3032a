// Fault: a failure the developer can mend. It prints as one line that says what is wrong and the way out, never as a stack.
export class Fault extends Error {
  readonly way: string;

  constructor(what: string, way: string) {
    super(what);
    this.name = 'Fault';
    this.way = way;
  }

  get line(): string {
    return `${this.message} ${this.way}`;
  }
}

/** The words of an unknown failure. */
export function reasonOf(error: unknown): string {
  if (error instanceof Fault) return error.line;
  return error instanceof Error ? error.message : String(error);
}

/** The system's code of a failed call (`ENOENT`, `EADDRINUSE`), if it has one. */
export function codeOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}
