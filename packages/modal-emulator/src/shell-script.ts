// The bash text the agent runs for one command. Values arrive as single-quoted words, so nothing in them is interpreted.
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Bash keeps these to itself; `env` can still set them for the program. */
const READ_ONLY = new Set(['BASHOPTS', 'BASH_VERSINFO', 'EUID', 'PPID', 'SHELLOPTS', 'UID']);
/** Linux refuses longer single arguments. */
const MAX_ARGUMENT_BYTES = 128 * 1024 - 1;

export interface Command {
  argv: string[];
  env: Record<string, string>;
  workdir: string;
  /** Makes the working directory if it is missing, as an image's WORKDIR would. */
  makeWorkdir: boolean;
  /** A terminal for the program, as `script` makes it. */
  pty: boolean;
  stderrToStdout: boolean;
}

export class CommandError extends Error {
  override readonly name = 'CommandError';
}

export function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Throws CommandError naming what no program can be given: no argv, a NUL, an argument over 128 KiB, a bad name. */
export function commandScript(command: Command): string {
  if (command.argv.length === 0) throw new CommandError('The command is empty: give at least the program.');
  for (const word of command.argv) checkWord(word, 'An argument');
  const fixed: string[] = [];
  const lines = prologue(command);
  for (const [name, value] of Object.entries(command.env)) {
    if (READ_ONLY.has(name)) fixed.push(`${name}=${value}`);
  }
  const argv = fixed.length > 0 ? ['env', '--', ...fixed, ...command.argv] : command.argv;
  const words = argv.map(quote).join(' ');
  lines.push(
    command.pty
      ? `exec script -qefc ${quote(`stty rows 24 cols 80; exec ${words}`)} /dev/null`
      : `exec -- ${words}`,
  );
  return `${lines.join('\n')}\n`;
}

/** What comes before the program: streams, directory, environment. */
export function prologue(command: Omit<Command, 'argv' | 'pty'>): string[] {
  const lines = command.stderrToStdout ? ['exec 2>&1'] : [];
  checkWord(command.workdir, 'The working directory');
  const directory = quote(command.workdir);
  if (command.makeWorkdir) lines.push(`[ -d ${directory} ] || mkdir -p -- ${directory}`);
  lines.push(`cd -- ${directory} || exit 127`);
  for (const [name, value] of Object.entries(command.env)) {
    if (!NAME.test(name))
      throw new CommandError(
        `Environment variable ${JSON.stringify(name)} is no name: use letters, digits and underscores.`,
      );
    checkWord(value, `Environment variable ${name}`);
    if (!READ_ONLY.has(name)) lines.push(`export ${name}=${quote(value)}`);
  }
  return lines;
}

function checkWord(word: string, what: string): void {
  if (word.includes('\0'))
    throw new CommandError(`${what} contains a NUL character, which no program can receive.`);
  if (Buffer.byteLength(word) > MAX_ARGUMENT_BYTES)
    throw new CommandError(
      `${what} is over ${MAX_ARGUMENT_BYTES} bytes: write it to a file and pass the path.`,
    );
}
