// What an image's Dockerfile lines come to: the commands to run one after another, each with its environment and directory,
// and what sandboxes of the image start with. Pure; what cannot be honoured is refused by name and line.
import { posix } from 'node:path';
import {
  DockerfileError,
  expandWord,
  type Instruction,
  parseDockerfile,
  parseExecForm,
  parseVariables,
  shown,
  splitFlags,
} from './dockerfile.ts';

export interface PlannedRun {
  argv: string[];
  env: Record<string, string>;
  workdir: string;
  /** As it was written, for messages. */
  source: string;
  line: number;
}

export interface ImagePlan {
  /** What FROM names. */
  from: string;
  runs: PlannedRun[];
  env: Record<string, string>;
  workdir: string;
}

/** What the image is built on. */
export interface PlanStart {
  env: Readonly<Record<string, string>>;
  workdir: string;
  /** Variables every command has unless the image sets them. */
  usualEnv: Readonly<Record<string, string>>;
}

/** They describe the image, or what would run in it: a sandbox runs what it is told to. */
const WITHOUT_EFFECT = new Set([
  'LABEL',
  'MAINTAINER',
  'EXPOSE',
  'CMD',
  'ENTRYPOINT',
  'STOPSIGNAL',
  'HEALTHCHECK',
  'VOLUME',
]);
const REFUSED: Record<string, string> = {
  COPY: 'an image is built from its lines alone, without files of yours: fetch them with RUN, or write them to the sandbox',
  ADD: 'an image is built from its lines alone, without files of yours: fetch them with RUN, or write them to the sandbox',
  ONBUILD: 'images are not built on others by their triggers: write the instruction where it is to run',
};
const SHELL = ['/bin/sh', '-c'];
const DOCUMENT_ALONE = /^<<-?\s*(["']?)[A-Za-z_][A-Za-z0-9_.]*\1$/;

class Planner {
  readonly plan: ImagePlan;
  readonly #usualEnv: Readonly<Record<string, string>>;
  /** Build arguments: for commands of the build, not for sandboxes. */
  readonly #arguments: Record<string, string> = {};
  #shell = SHELL;
  #stages = 0;

  constructor({ env, workdir, usualEnv }: PlanStart) {
    this.plan = { from: '', runs: [], env: { ...env }, workdir };
    this.#usualEnv = usualEnv;
  }

  take(instruction: Instruction): void {
    const { name, text } = instruction;
    const reason = REFUSED[name];
    if (reason !== undefined) throw new DockerfileError(`${name} cannot be done here: ${reason}.`);
    if (name === 'RUN') this.#run(instruction);
    else if (name === 'ENV') Object.assign(this.plan.env, this.#variables(text));
    else if (name === 'WORKDIR') this.plan.workdir = posix.resolve('/', this.plan.workdir, this.#word(text));
    else if (name === 'FROM') this.#from(text);
    else if (name === 'ARG') this.#argument(text);
    else if (name === 'SHELL') this.#shell = shellOf(text);
    else if (name === 'USER') assertRoot(this.#word(text));
    else if (!WITHOUT_EFFECT.has(name)) throw new DockerfileError(`${shown(name)} is no instruction.`);
  }

  #from(text: string): void {
    this.#stages += 1;
    if (this.#stages > 1 || this.plan.runs.length > 0)
      throw new DockerfileError('FROM comes once, and first: there are no build stages here.');
    const { rest } = splitFlags(text);
    this.plan.from = this.#word(rest.split(/\s+/)[0] ?? '');
    if (this.plan.from === '') throw new DockerfileError('FROM names no image.');
  }

  #run({ line, text, documents }: Instruction): void {
    const { flags, rest } = splitFlags(text);
    for (const flag of flags) assertHarmless(flag);
    const exec = documents.length === 0 ? parseExecForm(rest) : undefined;
    const [document] = documents;
    const script =
      document !== undefined && DOCUMENT_ALONE.test(rest)
        ? document.body
        : [rest, ...documents.map(({ name, body }) => `${body}${name}`)].join('\n');
    if (rest === '') throw new DockerfileError('RUN has no command.');
    this.plan.runs.push({
      argv: exec ?? [...this.#shell, script],
      env: { ...this.#arguments, ...this.plan.env },
      workdir: this.plan.workdir,
      source: `RUN ${text}`,
      line,
    });
  }

  #argument(text: string): void {
    const isBare = /^[A-Za-z_]\w*$/.test(text);
    Object.assign(this.#arguments, isBare ? {} : this.#variables(text));
  }

  #variables(text: string): Record<string, string> {
    const variables = parseVariables(text, (name) => this.#valueOf(name));
    if (variables.length === 0) throw new DockerfileError('It sets no variable: write NAME=value.');
    return Object.fromEntries(variables);
  }

  #word(text: string): string {
    const word = expandWord(text, (name) => this.#valueOf(name));
    if (word === '') throw new DockerfileError('It needs a value.');
    return word;
  }

  #valueOf(name: string): string {
    for (const variables of [this.plan.env, this.#arguments, this.#usualEnv])
      if (Object.hasOwn(variables, name)) return variables[name] ?? '';
    return '';
  }
}

/** Throws DockerfileError with the line, and what is wrong with it or cannot be done here. */
export function planImage(lines: readonly string[], start: PlanStart): ImagePlan {
  const planner = new Planner(start);
  for (const instruction of parseDockerfile(lines.join('\n'))) {
    try {
      planner.take(instruction);
    } catch (cause) {
      if (!(cause instanceof DockerfileError)) throw cause;
      const { line, name, text } = instruction;
      throw new DockerfileError(`Line ${line}, ${shown(`${name} ${text}`)}: ${cause.message}`);
    }
  }
  return planner.plan;
}

function shellOf(text: string): string[] {
  const shell = parseExecForm(text);
  if (shell === undefined) throw new DockerfileError('SHELL takes a JSON array of strings.');
  return shell;
}

function assertRoot(user: string): void {
  if (/^(root|0)(:(root|0))?$/.test(user)) return;
  throw new DockerfileError('A sandbox has one user, root: leave USER out.');
}

/** A cache that is always empty changes nothing but the time a build takes. */
function assertHarmless(flag: string): void {
  if (/^--mount=(\S*,)?type=(cache|tmpfs)(,|$)/.test(flag) || flag === '--network=default') return;
  throw new DockerfileError(`${flag} cannot be done here: leave it out.`);
}
