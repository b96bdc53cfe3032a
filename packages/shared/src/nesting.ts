// How deep a JSON value nests. Texts of a few kilobytes can nest deeper than programs that walk them have stack, and deeper
// than a database reads.

/** Deeper than anything that people write. */
export const MAX_NESTING = 200;

/** Whether no value lies within more than `most` arrays and objects. Looks no deeper than that. */
export function nestsWithin(value: unknown, most: number = MAX_NESTING): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return most > 0 && Object.values(value).every((member) => nestsWithin(member, most - 1));
}
