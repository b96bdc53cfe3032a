// A host that a credential is for: `api.example.com`, `192.0.2.1`, or `*.example.com` for all below it but not itself.
import { z } from 'zod';

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const MAX_NAME_LENGTH = 253;

/** In lower case. */
export const credentialHost = z
  .string()
  .max(MAX_NAME_LENGTH + 2)
  .transform((given, context) => {
    const host = given.toLowerCase();
    const problem = problemOf(host);
    if (problem === null) return host;
    context.addIssue({ code: 'custom', message: `${JSON.stringify(given.slice(0, 80))}: ${problem}` });
    return z.NEVER;
  });

function problemOf(host: string): string | null {
  if (/^[a-z][a-z0-9+.-]*:\/\//.test(host)) return 'give the host alone, without a scheme';
  if (host.includes('/')) return 'give the host alone, without a path';
  if (/^\[|:.*:/.test(host)) return 'IPv6 addresses are not accepted';
  if (host.includes(':')) return 'give the host alone, without a port';
  const wildcard = host.startsWith('*.');
  const name = wildcard ? host.slice(2) : host;
  if (name.includes('*')) return 'a * stands only for all labels at the start, as in *.example.com';
  const labels = name.split('.');
  if (name.length > MAX_NAME_LENGTH || !labels.every((label) => LABEL.test(label)))
    return 'expected a host name, an IPv4 address or *.example.com';
  if (isNumeric(labels.at(-1) ?? '')) return wildcard || !isIpv4(labels) ? 'is no IPv4 address' : null;
  if (wildcard && labels.length < 2) return 'a wildcard needs two labels, as in *.example.com';
  return null;
}

/** What programs read as the end of an address. */
function isNumeric(label: string): boolean {
  return /^(?:\d+|0x[0-9a-f]*)$/.test(label);
}

function isIpv4(labels: readonly string[]): boolean {
  return (
    labels.length === 4 && labels.every((label) => /^(?:0|[1-9]\d{0,2})$/.test(label) && Number(label) < 256)
  );
}
