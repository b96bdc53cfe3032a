// Denials: why a request of a sandbox is refused, the answer that says what would mend it, and the one line in the log.

import { formatAuthority, type Target } from '@capstan/shared/hosts';
import type { Logger } from '@capstan/shared/logger';

/** Each reason with its HTTP status and what the program in the sandbox is told. */
export const DENIALS = {
  network_blocked: [
    403,
    'This environment has no network. Give it networking of type "limited" or "unrestricted".',
  ],
  host_not_allowed: [
    403,
    'The environment does not allow this host. Add it to networking.allowed_hosts, or set allow_package_managers or allow_mcp_servers if it is one of those.',
  ],
  port_not_allowed: [
    403,
    'The environment does not allow this port: 80 and 443 are allowed with a host, others with "host:port" in networking.allowed_hosts.',
  ],
  address_not_public: [
    403,
    'This host has no public address. Private, loopback, link-local and metadata addresses are out of reach of sandboxes.',
  ],
  credential_needs_tls: [
    403,
    'A credential is bound to this host, so it is reached over https only. Use https://.',
  ],
  credential_port: [
    403,
    'A credential is bound to this host at another port, so this port is closed. Use the port the credential names (443 unless it says otherwise).',
  ],
  server_name_mismatch: [403, 'The TLS server name is not the host that was asked for.'],
  not_tls: [403, 'A tunnel to port 443 of a limited environment carries TLS and nothing else.'],
  host_mismatch: [400, 'The Host header is not the host that was asked for.'],
  bad_target: [
    400,
    'The proxy takes http://host/path and CONNECT host:port, with one canonical host and no user name in it.',
  ],
  bad_framing: [
    400,
    'The length of the request is ambiguous: send one Content-Length, or Transfer-Encoding: chunked alone.',
  ],
  bad_request: [400, 'This is not an HTTP/1.1 request.'],
  method_not_allowed: [405, 'TRACE and nested CONNECT are not forwarded.'],
  unidentified: [
    407,
    'The proxy needs the name and token in HTTP_PROXY. Use the proxy URL of this sandbox as it stands.',
  ],
  request_timeout: [408, 'The request did not arrive in time.'],
  header_too_large: [431, 'The request headers are too large.'],
  too_many_connections: [429, 'This sandbox has too many connections open. Close some, or wait.'],
  policy_unknown: [
    503,
    "The rules of this sandbox are not known here yet. They come with the session's next call: try again.",
  ],
  unresolvable: [502, 'This host name has no address.'],
  unreachable: [502, 'No connection to this host could be made.'],
  certificate_refused: [
    502,
    'The certificate of this host could not be verified, so no credential is sent to it.',
  ],
  upstream_failed: [502, 'The host ended the exchange without a whole answer.'],
  upstream_encoded: [
    502,
    'The host answered in an encoding in which its answer cannot be searched for secrets.',
  ],
} as const satisfies Record<string, readonly [status: number, advice: string]>;

export type DenialReason = keyof typeof DENIALS;

export function isDenialReason(text: string): text is DenialReason {
  return Object.hasOwn(DENIALS, text);
}

export interface Denial {
  /** Null: whoever asked could not be told. */
  sandbox: string | null;
  /** `host:port` in canonical form, null when there was none. */
  target: string | null;
  reason: DenialReason;
}

/** Thrown on the way to a target; `detail` adds to the advice and carries nothing of what was sent. */
export class EgressRefusal extends Error {
  override name = 'EgressRefusal';
  reason: DenialReason;
  detail: string;

  constructor(reason: DenialReason, detail = '', options: { cause?: unknown } = {}) {
    super(`${reason}${detail && `: ${detail}`}`, options);
    this.reason = reason;
    this.detail = detail;
  }
}

export interface DenialReport {
  sandbox: string | null;
  target: Target | null;
}

export interface DenialAnswer {
  status: number;
  /** Python and others print the reason phrase of a refused CONNECT and nothing else of it. */
  statusText: string;
  headers: readonly (readonly [name: string, value: string])[];
  body: string;
}

export function answerOf({ reason, detail }: EgressRefusal, target: Target | null): DenialAnswer {
  const [status, advice] = DENIALS[reason];
  const where = target === null ? null : formatAuthority(target);
  const message = `${where === null ? '' : `${where}: `}${advice}${detail && ` (${detail})`}`;
  const body = `${JSON.stringify({ error: { type: 'egress_denied', reason, message } })}\n`;
  const challenge =
    reason === 'unidentified' ? ([['Proxy-Authenticate', 'Basic realm="capstan"']] as const) : [];
  return {
    status,
    statusText: `Egress denied (${reason})`,
    headers: [
      ...challenge,
      ['X-Capstan-Egress', reason],
      ['Content-Type', 'application/json; charset=utf-8'],
      ['Content-Length', String(Buffer.byteLength(body))],
    ],
    body,
  };
}

export interface DenialLog {
  tell(report: DenialReport, reason: DenialReason): void;
}

const WINDOW_MS = 60_000;
/** What a sandbox may add to the log and the session within a minute; beyond it one line counts the rest. */
const MAX_TOLD = 100;

export interface DenialPorts {
  log: Logger;
  onDenied?: (denial: Denial) => void;
  now?: () => number;
}

export function createDenialLog({ log, onDenied, now = Date.now }: DenialPorts): DenialLog {
  const windows = new Map<string | null, { until: number; count: number }>();
  const close = (at: number) => {
    for (const [sandbox, { until, count }] of windows) {
      if (until > at) continue;
      windows.delete(sandbox);
      if (count > MAX_TOLD) log.warn('egress.denied_more', { sandbox, count: count - MAX_TOLD });
    }
  };
  return {
    tell({ sandbox, target }, reason) {
      const at = now();
      close(at);
      const window = windows.get(sandbox) ?? { until: at + WINDOW_MS, count: 0 };
      windows.set(sandbox, window);
      window.count++;
      if (window.count > MAX_TOLD) return;
      log.warn('egress.denied', { sandbox, host: target?.host.text, port: target?.port, reason });
      onDenied?.({ sandbox, target: target && formatAuthority(target), reason });
    },
  };
}
