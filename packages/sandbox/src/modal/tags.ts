// What we note at Modal about a sandbox, as its tags. They are out of reach of what runs in it.

/** When its lifetime ends, in epoch milliseconds. */
export const EXPIRY_TAG = 'capstan-expires-at';
/** MARK.IMAGE_ID of the last snapshot. */
export const SNAPSHOT_TAG = 'capstan-snapshot';

/** 0, a time that is over, for a sandbox that nobody noted it for. */
export function expiryOf(tags: Readonly<Record<string, string>>): number {
  const expiresAt = Number(tags[EXPIRY_TAG]);
  return Number.isSafeInteger(expiresAt) ? expiresAt : 0;
}
