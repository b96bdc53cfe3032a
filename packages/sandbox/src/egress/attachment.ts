// Attachment: what a sandbox needs in order to use the proxy: variables, files, and the one address it may connect to.
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { parseHost } from '@capstan/shared/hosts';
import { javaKeystore } from './java-keystore.ts';
import { compilePolicy, type EgressPolicy } from './policy.ts';
import type { EgressProxy } from './proxy.ts';

export interface SandboxEgress {
  /** Variables of every command. */
  env: Record<string, string>;
  /** To be written before the first command. */
  files: readonly { path: string; content: Uint8Array }[];
  /** Where the proxy is: all that the sandbox's own network must let through. Null: nothing. */
  allow: ProxyPlace | null;
}

export interface ProxyPlace {
  cidrs: readonly string[];
  domains: readonly string[];
}

export interface SandboxEgresses {
  /**
   * What a sandbox of this name is to be made with. `trusting`: it may hold credentials, now or later. Throws RangeError on
   * rules that say nothing sensible.
   */
  needs(sandbox: string, policy: EgressPolicy, trusting: boolean): SandboxEgress;
  /** Says the rules of a sandbox, new or anew: its next request follows them, and what they do not allow is cut. */
  change(sandbox: string, policy: EgressPolicy): Promise<void>;
  /** The sandbox has ended, and its name may be another's. */
  detach(sandbox: string): Promise<void>;
}

/** Certificates that programs in the sandbox trust: the public ones and ours. */
const BUNDLE_PATH = '/etc/capstan/egress/ca-bundle.pem';
/** Ours alone, for programs that add it to their own. */
const AUTHORITY_PATH = '/etc/capstan/egress/ca.pem';
/** The same for Java. */
const KEYSTORE_PATH = '/etc/capstan/egress/ca.jks';

/** What every sandbox with a proxy has, whatever its rules: programs that find it missing do not start. */
export const JAVA_RELAY = {
  path: '/etc/capstan/egress/egress-relay.jar',
  content: readFileSync(new URL('./java/egress-relay.jar', import.meta.url)),
};

const NOT_PROXIED = 'localhost,127.0.0.1,::1';
/** Variables that name a whole bundle, by who reads them. */
const BUNDLE_VARIABLES = [
  // OpenSSL, Go, Ruby, Rust's native roots
  'SSL_CERT_FILE',
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'REQUESTS_CA_BUNDLE',
  'PIP_CERT',
  'AWS_CA_BUNDLE',
  'CARGO_HTTP_CAINFO',
  'NIX_SSL_CERT_FILE',
];

/** `publicUrl`: how sandboxes reach the proxy, `http://host:port` or, behind something that ends TLS, `https://host:port`. */
export function createSandboxEgresses(proxy: EgressProxy, publicUrl: string): SandboxEgresses {
  const url = new URL(publicUrl);
  return {
    needs(sandbox, policy, trusting) {
      compilePolicy(policy);
      return {
        env: { ...proxyVariables(url, sandbox, proxy), ...(trusting ? trustVariables() : {}) },
        files: trusting ? trustFiles(proxy.authority.certificate) : [],
        allow: policy.network.type === 'blocked' ? null : placeOf(url),
      };
    },
    change: (sandbox, policy) => proxy.setPolicy(sandbox, policy),
    detach: (sandbox) => proxy.forget(sandbox),
  };
}

function proxyVariables(url: URL, sandbox: string, { identities }: EgressProxy): Record<string, string> {
  const proxy = `${url.protocol}//${sandbox}:${identities.tokenFor(sandbox)}@${url.hostname}:${portOf(url)}`;
  return {
    ...both('http_proxy', proxy),
    ...both('https_proxy', proxy),
    ...both('no_proxy', NOT_PROXIED),
    // Node reads the variables above only when it is told to.
    NODE_USE_ENV_PROXY: '1',
    // Java logs in nowhere by itself. The key store is used where it is.
    JAVA_TOOL_OPTIONS: `-javaagent:${JAVA_RELAY.path}=${KEYSTORE_PATH}`,
  };
}

function trustVariables(): Record<string, string> {
  const bundles = BUNDLE_VARIABLES.map((name) => [name, BUNDLE_PATH]);
  return { ...Object.fromEntries(bundles), NODE_EXTRA_CA_CERTS: AUTHORITY_PATH, DENO_CERT: AUTHORITY_PATH };
}

function trustFiles(certificate: string): SandboxEgress['files'] {
  const trusted = [...rootCertificates, certificate];
  const bundle = trusted.map((text) => `${text.trim()}\n`).join('');
  return [
    { path: KEYSTORE_PATH, content: javaKeystore(trusted) },
    { path: AUTHORITY_PATH, content: Buffer.from(certificate) },
    { path: BUNDLE_PATH, content: Buffer.from(bundle) },
  ];
}

/** An address lets nothing else through; a name leaves it to who resolves it. */
export function placeOf({ hostname }: URL): ProxyPlace {
  const host = parseHost(hostname);
  if (host === null || host.kind === 'name') return { cidrs: [], domains: [hostname] };
  return { cidrs: [`${host.text}/${host.kind === 'ipv4' ? 32 : 128}`], domains: [] };
}

function both(name: string, value: string): Record<string, string> {
  return { [name]: value, [name.toUpperCase()]: value };
}

function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}
