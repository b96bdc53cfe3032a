// Authorization tokens of repositories: they stay at the egress proxy. A sandbox has a placeholder for each, and git there
// sends it with what it asks of that repository; on its way to the repository's host the token takes its place. Variables of
// vaults are given with them, because what a sandbox is given replaces all it had.
//  T1 No token is in a sandbox, a note, a log or a record; placeholders are.
//  T2 A placeholder is recorded before it is given: whoever comes back after a crash gives the same.
//  T3 A sandbox that was not made ready for credentials gets none: it would not trust the proxy, and so lose the whole host.

import { newPlaceholder } from '@capstan/sandbox/egress/policy';
import { isSandboxError } from '@capstan/sandbox/error';
import type { Sandboxes } from '@capstan/sandbox/port';
import type { Logger } from '@capstan/shared/logger';
import { isLost } from '../lost.ts';
import { persist } from '../persistence.ts';
import type { OpenVariable } from '../vault/sandbox-variables.ts';
import { gitSettings } from './git-authorization.ts';
import type { Mountable, SessionFiles } from './session-files.ts';

export interface TokenDeps {
  sandboxes: () => Sandboxes;
  files: Pick<SessionFiles, 'token'>;
  logger: Logger;
}

/** What became of a repository's token in this sandbox: its placeholder, or why it is not used there. */
export type TokenUse = { placeholder: string } | { unused: string };

export interface Giving {
  sandboxId: string;
  resources: readonly Mountable[];
  /** What else the sandbox is to have: it has one set of credentials. */
  variables?: readonly OpenVariable[];
  /** What this sandbox has, by resource or credential. */
  placeholders: Readonly<Record<string, string>>;
  /** Records what it is about to have instead. */
  keep(placeholders: Record<string, string>): void;
}

type Repository = Extract<Mountable, { type: 'github_repository' }>;

const SETTINGS_PATH = '/etc/capstan/repositories.gitconfig';
const COMMAND_MS = 30_000;
/** What git trusts there: set by who made the sandbox ready. */
const IS_READY = '[[ $GIT_SSL_CAINFO == /etc/capstan/egress/* && -r $GIT_SSL_CAINFO ]]';
const INCLUDE = `git config --system --get-all include.path 2>/dev/null | grep -qxF ${SETTINGS_PATH} ||
git config --system --add include.path ${SETTINGS_PATH}`;

const NOT_READY = 'this sandbox was made before there was one, and gets none; the next one will';
const NO_PROXY = 'this server has no egress proxy to give it through';
const UNREADABLE =
  'this server cannot open it: its agent Worker needs the PLATFORM_ROOT_SECRET of the main Worker';

/** By id, of resources with a token and of variables. Rejects, with SandboxError, only when the sandbox itself fails. */
export async function giveTokens(deps: TokenDeps, giving: Giving): Promise<Map<string, TokenUse>> {
  const { sandboxId, resources, variables = [], placeholders: before, keep } = giving;
  const repositories = resources.filter(
    (resource): resource is Repository => resource.type === 'github_repository' && resource.hasToken,
  );
  const uses = new Map<string, TokenUse>();
  const asked = [...repositories, ...variables];
  if (asked.length === 0 && Object.keys(before).length === 0) return uses;
  const ready = await isReady(deps, sandboxId);
  const tokens = ready ? await openTokens(deps, repositories, uses) : new Map<string, string>();
  const wanted = [
    ...repositories.flatMap(({ id, url }) => credentialOf(id, url, tokens.get(id))),
    ...(ready ? variables : []),
  ];
  const credentials = wanted.map((credential) => ({
    ...credential,
    placeholder: before[credential.id] ?? newPlaceholder(),
  }));
  const placeholders = Object.fromEntries(credentials.map(({ id, placeholder }) => [id, placeholder]));
  keep(placeholders);
  // Without any, it still tells whether there is a proxy, and takes away what was given before.
  const refusal = await setCredentials(deps, { sandboxId, credentials });
  const unused = refusal ?? (ready ? null : NOT_READY);
  for (const { id } of asked) {
    if (unused !== null) uses.set(id, { unused });
    else if (placeholders[id] !== undefined) uses.set(id, { placeholder: placeholders[id] });
  }
  await writeSettings(deps, { sandboxId, repositories, uses });
  return uses;
}

async function isReady({ sandboxes }: TokenDeps, sandboxId: string): Promise<boolean> {
  const asked = { sandboxId, command: IS_READY, cwd: '/', timeoutMs: COMMAND_MS };
  return (await persist(() => sandboxes().exec(asked))).exitCode === 0;
}

async function openTokens(
  { files, logger }: TokenDeps,
  repositories: readonly Repository[],
  uses: Map<string, TokenUse>,
): Promise<Map<string, string>> {
  const tokens = new Map<string, string>();
  for (const { id } of repositories) {
    try {
      const token = await files.token(id);
      if (token !== null) tokens.set(id, token);
    } catch (error) {
      logger.error('mount.token_unreadable', { resource_id: id }, error);
      uses.set(id, { unused: UNREADABLE });
    }
  }
  return tokens;
}

/** None without a token. */
function credentialOf(id: string, url: string, secret: string | undefined): OpenVariable[] {
  const locations = { header: true, query: false, body: false };
  return secret === undefined ? [] : [{ id, secret, hosts: [new URL(url).host], locations }];
}

/** Null: they are set. Otherwise why they are not. */
async function setCredentials(
  { sandboxes, logger }: TokenDeps,
  request: Parameters<Sandboxes['setCredentials']>[0],
): Promise<string | null> {
  try {
    await persist(() => sandboxes().setCredentials(request));
    return null;
  } catch (error) {
    if (!isSandboxError(error) || isLost(error)) throw error;
    logger.warn('mount.tokens_refused', { code: error.code });
    return error.code === 'misconfigured' ? NO_PROXY : 'the egress proxy could not be given it';
  }
}

/** For what is asked of a repository after it was cloned. Without it that fails, as git will say: nothing else does. */
async function writeSettings(
  { sandboxes, logger }: TokenDeps,
  {
    sandboxId,
    repositories,
    uses,
  }: { sandboxId: string; repositories: readonly Repository[]; uses: ReadonlyMap<string, TokenUse> },
): Promise<void> {
  const given = repositories.flatMap(({ id, url }) => {
    const use = uses.get(id);
    return use !== undefined && 'placeholder' in use ? [{ url, placeholder: use.placeholder }] : [];
  });
  const content = new TextEncoder().encode(gitSettings(given));
  try {
    await persist(() => sandboxes().writeFile({ sandboxId, path: SETTINGS_PATH, content }));
    const include = { sandboxId, command: INCLUDE, cwd: '/', timeoutMs: COMMAND_MS };
    const { exitCode } = await persist(() => sandboxes().exec(include));
    if (exitCode !== 0) logger.warn('mount.git_settings_refused', { exit_code: exitCode });
  } catch (error) {
    if (!isSandboxError(error) || isLost(error)) throw error;
    logger.warn('mount.git_settings_refused', { code: error.code });
  }
}
