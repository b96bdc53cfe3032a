// A host that a limited network lets through: `api.example.com`, `*.example.com` for all below it but not itself, an IP address;
// with `:port`, or without one for 80 and 443. Written as an origin, `https://api.example.com`, it means the same.
import { z } from 'zod';

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const NAME = new RegExp(`^(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*$`);
const MAX_NAME_LENGTH = 253;
const HINT = 'expected a host, e.g. "api.example.com", "*.example.com" or "api.example.com:8443"';

/** In lower case, without the dot of an absolute name. */
export const allowedHost = z.string().transform((given, context) => {
  const host = readHost(
    given
      .trim()
      .toLowerCase()
      .replace(/^https?:\/\/([^/]*)\/?$/, '$1'),
  );
  if (host !== null) return host;
  context.addIssue({ code: 'custom', message: `${JSON.stringify(given.slice(0, 80))} is none; ${HINT}` });
  return z.NEVER;
});

function readHost(text: string): string | null {
  const [, v6, named, port] = /^(?:(\[[0-9a-f:.]{2,45}\])|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return null;
  const suffix = port === undefined ? '' : `:${Number(port)}`;
  if (v6 !== undefined) return z.ipv6().safeParse(v6.slice(1, -1)).success ? v6 + suffix : null;
  const name = named?.replace(/\.$/, '') ?? '';
  return name.length <= MAX_NAME_LENGTH && NAME.test(name) ? name + suffix : null;
}
