// The names that models are given for the tools of MCP servers: what every provider takes as the name of a function.
//  N1 At most 64 letters, digits, `_` and `-`, beginning with `mcp__`, which no tool of an agent's own may begin with.
//  N2 The same tool has the same name always: contexts are rebuilt from the log, and prompt caches live of it.
//  N3 Two tools have two names; those whose own names do not fit are told apart by a hash of them.

export interface McpToolRef {
  /** As the agent calls its server. */
  server: string;
  /** As the server calls its tool. */
  name: string;
}

const LONGEST = 64;
const FITS = /^[A-Za-z0-9_-]+$/;
const HASH_LENGTH = 10;
const SERVER_LENGTH = 18;
const TOOL_LENGTH = LONGEST - 'mcp__'.length - SERVER_LENGTH - '__'.length - '__'.length - HASH_LENGTH;
/** How the name of a tool ends that has a hash: one that ends so by itself is given one too. */
const HASHED = new RegExp(`__[0-9a-z]{${HASH_LENGTH}}$`);

export function modelToolName({ server, name }: McpToolRef): string {
  const plain = `mcp__${server}__${name}`;
  if (plain.length <= LONGEST && isPlainServer(server) && FITS.test(name) && !HASHED.test(name)) return plain;
  const short = (text: string, length: number) =>
    text.replace(/[^A-Za-z0-9-]+/g, '_').slice(0, length) || 'x';
  return `mcp__${short(server, SERVER_LENGTH)}__${short(name, TOOL_LENGTH)}__${hashOf(`${server}\0${name}`)}`;
}

/** The first `__` after it is where it ends. */
function isPlainServer(server: string): boolean {
  return FITS.test(server) && !server.includes('__') && !server.endsWith('_');
}

/** 51 bits in base 36 (cyrb53): enough to tell the tools of an agent apart, and no secret depends on it. */
function hashOf(text: string): string {
  let one = 0xdeadbeef;
  let two = 0x41c6ce57;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    one = Math.imul(one ^ unit, 2654435761);
    two = Math.imul(two ^ unit, 1597334677);
  }
  one = Math.imul(one ^ (one >>> 16), 2246822507) ^ Math.imul(two ^ (two >>> 13), 3266489909);
  two = Math.imul(two ^ (two >>> 16), 2246822507) ^ Math.imul(one ^ (one >>> 13), 3266489909);
  const wide = 4294967296 * (2097151 & two) + (one >>> 0);
  return (wide % 36 ** HASH_LENGTH).toString(36).padStart(HASH_LENGTH, '0');
}
