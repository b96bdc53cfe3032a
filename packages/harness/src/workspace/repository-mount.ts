// A repository cloned into a sandbox, by a run that belongs to the sandbox: a process that dies meanwhile loses nothing.
// No secret goes with it but the placeholder of one, in variables of git: nothing of it stays in the repository.
import type { RunChunk, Sandboxes } from '@capstan/sandbox/port';
import { MAX_WAIT_MS } from '@capstan/sandbox/port';
import type { SessionError } from '@capstan/schema/events/session-events';
import type { Checkout } from '@capstan/schema/resources';
import { persist } from '../persistence.ts';
import { gitVariables } from './git-authorization.ts';
import type { TokenUse } from './repository-tokens.ts';

export interface Cloning {
  sandboxes: Sandboxes;
  sandboxId: string;
  url: string;
  checkout: Checkout | null;
  mountPath: string;
  /** 1-128 of `A-Za-z0-9_-`: names this attempt in its sandbox. */
  runId: string;
  /** Null: it has no authorization token. */
  token: TokenUse | null;
}

export interface CloneFailure {
  type: Extract<SessionError['type'], `repository_${string}`>;
  message: string;
}

const CLONE_MS = 15 * 60_000;
const MAX_SAID_BYTES = 16_384;

// Git asks nobody for a password, and takes nothing but http from the url or a redirect. The clone is moved into its place
// when it is whole; what is there already, from a snapshot or an earlier attempt, stays.
const CLONE = `url=$1 place=$2 kind=$3 ref=$4
export GIT_TERMINAL_PROMPT=0 GIT_ASKPASS=/bin/false SSH_ASKPASS=/bin/false GIT_ALLOW_PROTOCOL=http:https LC_ALL=C
command -v git >/dev/null || { echo 'capstan: git is not installed'; exit 1; }
[[ -e $place/.git ]] && exit 0
if [[ -e $place ]]; then rmdir -- "$place" || { echo 'capstan: something else is there'; exit 1; }; fi
mkdir -p -- "\${place%/*}" && new=$(mktemp -d -- "\${place%/*}/.capstan-clone-XXXXXX") || exit 1
trap 'rm -rf -- "$new"' EXIT
options=(--quiet --config credential.helper=)
[[ $kind == branch ]] && options+=(--branch "$ref")
[[ $kind == commit ]] && options+=(--no-checkout)
git clone "\${options[@]}" -- "$url" "$new" || exit 1
git -C "$new" config --unset-all credential.helper
if [[ $kind == commit ]]; then
  git -C "$new" cat-file -e "$ref^{commit}" || git -C "$new" fetch --quiet origin "$ref" || { echo 'capstan: no such commit'; exit 1; }
  git -C "$new" checkout --quiet --detach "$ref" -- || { echo 'capstan: no such commit'; exit 1; }
fi
chmod 755 -- "$new" && mv -T -- "$new" "$place"`;

/** Null: it is there. Rejects with SandboxError when the sandbox cannot be asked. */
export async function cloneRepository(cloning: Cloning): Promise<CloneFailure | null> {
  const { sandboxes, sandboxId, runId, url, mountPath, checkout, token } = cloning;
  const ref = checkout === null ? '' : checkout.type === 'branch' ? checkout.name : checkout.sha;
  const command = ['bash', '-c', CLONE, 'bash', url, mountPath, checkout?.type ?? '', ref];
  const placeholder = token !== null && 'placeholder' in token ? token.placeholder : null;
  const env = placeholder === null ? {} : gitVariables({ url, placeholder });
  const start = { sandboxId, runId, command, env, cwd: '/', timeoutMs: CLONE_MS, waitMs: MAX_WAIT_MS };
  let chunk = await persist(() => sandboxes.startRun(start));
  let said = decode(chunk);
  while (chunk.outcome.state === 'running' || !chunk.eof) {
    const offset = chunk.nextOffset;
    chunk = await persist(() => sandboxes.readRun({ sandboxId, runId, offset, waitMs: MAX_WAIT_MS }));
    said = (said + decode(chunk)).slice(-MAX_SAID_BYTES);
  }
  const { outcome } = chunk;
  if (outcome.state === 'exited' && outcome.exitCode === 0) return null;
  return failureOf(cloning, outcome.state === 'timed_out' ? 'capstan: it took longer than 15 minutes' : said);
}

function decode({ bytes }: RunChunk): string {
  return new TextDecoder().decode(bytes);
}

const KINDS: readonly [RegExp, CloneFailure['type'], string][] = [
  // What the egress proxy says to git is not what the host says.
  [
    /CONNECT tunnel failed, response 403|HTTP code 403 from proxy/,
    'repository_clone_error',
    "the environment's network does not reach its host",
  ],
  [
    /CONNECT tunnel failed, response 50\d|HTTP code 50\d from proxy|Could not resolve host/,
    'repository_clone_error',
    'its host cannot be reached',
  ],
  [
    /could not read (Username|Password)|Authentication failed|terminal prompts disabled/i,
    'repository_authentication_error',
    'its host asks for credentials',
  ],
  [/error: 403|403 Forbidden|Permission .*denied/i, 'repository_forbidden_error', 'its host refuses it'],
  [/error: 404|[Rr]epository .*not found/, 'repository_not_found_error', 'there is no such repository'],
  [
    /Remote branch .* not found|no such commit|did not match any|couldn't find remote ref|not our ref/i,
    'repository_checkout_error',
    'it has no such branch or commit',
  ],
];

/** In words of our own: git's may quote what a host answered. */
function failureOf({ url, mountPath, token }: Cloning, said: string): CloneFailure {
  const [, type, why] = KINDS.find(([pattern]) => pattern.test(said)) ?? [];
  const reason = why ?? reasonOf(said);
  const more = token === null ? '' : tokenSentence(token, type ?? 'repository_clone_error');
  return {
    type: type ?? 'repository_clone_error',
    message: `The repository ${url} could not be mounted at ${mountPath}: ${reason}.${more}`,
  };
}

/** What a token that is missing, or has not the rights, makes of a repository: hosts hide what is private. */
const ABOUT_TOKENS: ReadonlySet<CloneFailure['type']> = new Set([
  'repository_authentication_error',
  'repository_forbidden_error',
  'repository_not_found_error',
]);

function tokenSentence(token: TokenUse, type: CloneFailure['type']): string {
  if ('unused' in token) return ` Its authorization token was not used: ${token.unused}.`;
  return ABOUT_TOKENS.has(type) ? ' Its authorization token was sent, and does not open it.' : '';
}

function reasonOf(said: string): string {
  const [, own] = /^capstan: (.*)$/m.exec(said) ?? [];
  const last = said.trim().split('\n').at(-1) ?? '';
  return own ?? (last === '' ? 'git failed without a word' : last.slice(0, 300));
}
