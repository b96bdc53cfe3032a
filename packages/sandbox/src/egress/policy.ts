// Policy: where one sandbox may go, and which credentials are put on its way. Pure: from a policy and a target to a verdict.
//  E1 What is not allowed is refused; a credential never widens a network.
//  E2 A host with a credential is reached by TLS that we end, or not at all.

import {
  type Host,
  type HostPattern,
  isOrdinaryPort,
  parseHostPattern,
  patternMatches,
  patternMatchesHost,
  type Target,
  WEB_PORTS,
} from '@capstan/shared/hosts';
import type { NetworkPolicy, SandboxCredential } from '../port.ts';

export interface EgressPolicy {
  network: NetworkPolicy;
  credentials: readonly SandboxCredential[];
}

export interface CompiledCredential extends SandboxCredential {
  patterns: readonly HostPattern[];
}

export interface CompiledPolicy {
  type: NetworkPolicy['type'];
  allowed: readonly HostPattern[];
  credentials: readonly CompiledCredential[];
}

/** `plain`: a request in the clear. `tunnel`: CONNECT, which is to become TLS. */
export type Channel = 'plain' | 'tunnel';

export type PolicyRefusal =
  | 'network_blocked'
  | 'host_not_allowed'
  | 'port_not_allowed'
  | 'credential_needs_tls'
  | 'credential_port';

export type Verdict =
  | { allowed: true; credentials: readonly CompiledCredential[] }
  | { allowed: false; reason: PolicyRefusal };

/** 32 characters of `a-z0-9`: too many to be guessed or to be there by chance. */
export const PLACEHOLDER = /^capstan_ph_[a-z0-9]{32}$/;
export const MAX_CREDENTIALS = 100;
const CREDENTIAL_PORTS: readonly number[] = [443];

/** A placeholder that was never given out before. */
export function newPlaceholder(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return `capstan_ph_${Array.from(bytes, (byte) => (byte % 32).toString(32)).join('')}`;
}

/** Throws RangeError that names what is wrong and never the secret. */
export function compilePolicy({ network, credentials }: EgressPolicy): CompiledPolicy {
  if (credentials.length > MAX_CREDENTIALS)
    throw new RangeError(`${credentials.length} credentials are too many: at most ${MAX_CREDENTIALS}`);
  const compiled = credentials.map(compileCredential);
  const placeholders = new Set(compiled.map(({ placeholder }) => placeholder));
  if (placeholders.size !== compiled.length)
    throw new RangeError('Two credentials have the same placeholder');
  return {
    type: network.type,
    allowed: network.type === 'limited' ? network.allowedHosts.map(parseHostPattern) : [],
    credentials: compiled,
  };
}

/** Whether the target may be asked for at all; its addresses are judged when they are known. */
export function judge(policy: CompiledPolicy, target: Target, channel: Channel): Verdict {
  const refusal = refusalOf(policy, target);
  if (refusal !== null) return { allowed: false, reason: refusal };
  const named = policy.credentials.filter(({ patterns }) => isNamed(patterns, target.host));
  const bound = policy.credentials.filter(({ patterns }) =>
    patterns.some((pattern) => patternMatches(pattern, target, CREDENTIAL_PORTS)),
  );
  if (channel === 'plain' && named.length > 0) return { allowed: false, reason: 'credential_needs_tls' };
  if (bound.length === 0 && named.length > 0) return { allowed: false, reason: 'credential_port' };
  return { allowed: true, credentials: channel === 'plain' ? [] : bound };
}

/** Whether TLS to this name through a tunnel to `target` stays what was allowed. Null: the client named no server. */
export function mayPresent(policy: CompiledPolicy, target: Target, serverName: Host | null): boolean {
  if (serverName === null) return true;
  if (serverName.text === target.host.text) return true;
  if (target.host.kind === 'name') return false;
  const named = judge(policy, { host: serverName, port: target.port }, 'tunnel');
  return named.allowed && named.credentials.length === 0;
}

/** Whether the credential was given this host by name, so that only the credential speaks for the sandbox there. */
export function isOwnHost({ patterns }: CompiledCredential, host: Host): boolean {
  return isNamed(patterns, host);
}

function refusalOf(policy: CompiledPolicy, target: Target): PolicyRefusal | null {
  if (policy.type === 'blocked') return 'network_blocked';
  if (policy.type === 'unrestricted') return isOrdinaryPort(target.port) ? null : 'port_not_allowed';
  if (policy.allowed.some((pattern) => patternMatches(pattern, target, WEB_PORTS))) return null;
  const known = policy.allowed.some((pattern) => patternMatchesHost(pattern, target.host));
  return known ? 'port_not_allowed' : 'host_not_allowed';
}

/** `*` names no host: it adds a credential to what others say of a host. */
function isNamed(patterns: readonly HostPattern[], host: Host): boolean {
  return patterns.some((pattern) => pattern.kind !== 'any' && patternMatchesHost(pattern, host));
}

function compileCredential(credential: SandboxCredential): CompiledCredential {
  const { id, placeholder, secret, hosts } = credential;
  if (!PLACEHOLDER.test(placeholder))
    throw new RangeError(`The placeholder of credential ${id} is malformed`);
  if (secret.length === 0) throw new RangeError(`The secret of credential ${id} is empty`);
  if (hosts.length === 0) throw new RangeError(`Credential ${id} names no hosts`);
  return { ...credential, patterns: hosts.map(parseCredentialHost) };
}

function parseCredentialHost(text: string): HostPattern {
  return text === '*' ? { kind: 'any', text: '*' } : parseHostPattern(text);
}
