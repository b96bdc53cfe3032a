// The hash of a tool call's input: what an approval is for. Keys in order, so that it is the same wherever it is computed.

/** SHA-256 of the canonical JSON of the input, 64 hex digits. */
export async function inputHash(input: Record<string, unknown>): Promise<string> {
  const bytes = new TextEncoder().encode(canonical(input));
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** JSON with the keys of every object sorted by code unit and no spaces. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const pairs = Object.entries(value).filter(([, member]) => member !== undefined);
    pairs.sort(([one], [other]) => (one < other ? -1 : 1));
    return `{${pairs.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
