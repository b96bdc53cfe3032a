// The host users that sandboxes of root run as, each one's own: what a sandbox may do to files of the host, or to another
// sandbox's processes, is then for the kernel to refuse.
import { randomInt } from 'node:crypto';

/** Above the ranges distributions give to people and to their containers. */
const FIRST = 231_072;
const COUNT = 65_536;

/** None of `taken`; undefined where the emulator is no root and sandboxes run as its user. */
export function freeHostUser(taken: Iterable<number | undefined>): number | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const used = new Set(taken);
  let user = FIRST + randomInt(COUNT);
  while (used.has(user)) user = FIRST + randomInt(COUNT);
  return user;
}
