// Flags of `dev`. An unknown or malformed flag is refused with the list of those that exist.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Fault, reasonOf } from './fault.ts';

export type Flags = {
  port: number;
  reset: boolean;
  help: boolean;
  /** Whether changed sources are built and taken over while it runs. */
  watch: boolean;
  /** Where state lives; absolute. */
  stateDir: string;
  /** Names and values for the Workers, such as provider keys; absolute. */
  vars: string;
  /** File that receives the running platform as JSON; absolute. */
  readyFile?: string;
  /** How long a program that died is waited for, however often it did; absent: longer each time. */
  restartAfterMs?: number;
};

export const USAGE = `Starts Capstan on this machine.

  npx -y pnpm@12.21.0 dev [flags]

  --port N           listen on port N (8787); 0 lets the system choose
  --reset            clear the local state first: sessions, agents, files and the API key
  --state DIR        keep state in DIR (.capstan)
  --vars FILE        read provider keys and other variables from FILE (.dev.vars)
  --ready-file PATH  when ready, write {url, apiKey, pids, …} as JSON to PATH
  --restart-after MS start a program that died again after MS, however often it did
  --no-watch         keep what was built at the start, whatever happens to the sources
  --help             print this`;

/** Reads the command line; relative paths are meant from `root`. */
export function parseFlags(argv: string[], root: string): Flags {
  const values = read(argv);
  const port = Number(values.port ?? '8787');
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Fault(`--port must be a number from 0 to 65535, not "${values.port}".`, 'Example: --port 8788');
  const restartAfterMs = values['restart-after'] === undefined ? undefined : Number(values['restart-after']);
  if (restartAfterMs !== undefined && !(restartAfterMs >= 0))
    throw new Fault('--restart-after must be a number of milliseconds.', 'Example: --restart-after 100');
  return {
    port,
    reset: values.reset ?? false,
    help: values.help ?? false,
    watch: values['no-watch'] !== true,
    stateDir: resolve(root, values.state ?? '.capstan'),
    vars: resolve(root, values.vars ?? '.dev.vars'),
    readyFile: values['ready-file'] === undefined ? undefined : resolve(root, values['ready-file']),
    restartAfterMs,
  };
}

function read(argv: string[]) {
  // `pnpm dev -- --port 1` hands the separator on; people type it by habit.
  const args = argv[0] === '--' ? argv.slice(1) : argv;
  try {
    return parseArgs({
      args,
      options: {
        port: { type: 'string' },
        reset: { type: 'boolean' },
        help: { type: 'boolean' },
        state: { type: 'string' },
        vars: { type: 'string' },
        'ready-file': { type: 'string' },
        'restart-after': { type: 'string' },
        'no-watch': { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new Fault(
      reasonOf(error),
      'Flags: --port N, --reset, --state DIR, --vars FILE, --ready-file PATH, --restart-after MS, --no-watch, --help',
    );
  }
}
