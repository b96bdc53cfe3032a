// Epoch ms, as rows keep instants, to RFC 3339 in UTC, as the API shows them.
export function toTimestamp(ms: number): string {
  return new Date(ms).toISOString();
}
