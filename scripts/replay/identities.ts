// Compares a row with its recording. Ids are made anew and time is another: ids have to correspond one to one, instants
// only to be there or not. What is measured in time or money is not compared.
const ID = /^(sevt|sthr|outc|sesn)_\w+$/;
const UNCOMPARED = new Set(['processed_at', 'active_seconds', 'list_cost', 'completed_at']);

export class Identities {
  #live = new Map<string, string>();

  /** The id here of what the recording calls so. */
  of(recorded: string): string {
    return this.#live.get(recorded) ?? recorded;
  }

  know(recorded: string, live: string): void {
    this.#live.set(recorded, live);
  }

  /** The first difference, as `path: recorded … is …`, or null. */
  difference(recorded: unknown, live: unknown, path = ''): string | null {
    if (isRecord(recorded) && isRecord(live)) return this.#members(recorded, live, path);
    if (Array.isArray(recorded) && Array.isArray(live) && recorded.length === live.length) {
      for (const [index, one] of recorded.entries()) {
        const found = this.difference(one, live[index], `${path}.${index}`);
        if (found !== null) return found;
      }
      return null;
    }
    if (typeof recorded === 'string' && typeof live === 'string' && ID.test(recorded) && ID.test(live)) {
      const known = this.#live.get(recorded);
      if (known === undefined) this.know(recorded, live);
      return known === undefined || known === live ? null : said(path, `${recorded} (here ${known})`, live);
    }
    if (recorded === live) return null;
    // Words may name ids, e.g. of a thread.
    if (typeof recorded === 'string' && typeof live === 'string' && this.#renamed(recorded) === live)
      return null;
    return said(path, recorded, live);
  }

  #members(recorded: Record<string, unknown>, live: Record<string, unknown>, path: string): string | null {
    for (const key of new Set([...Object.keys(recorded), ...Object.keys(live)])) {
      const at = path === '' ? key : `${path}.${key}`;
      if (UNCOMPARED.has(key)) {
        if ((recorded[key] === null) !== (live[key] === null) && key === 'processed_at')
          return said(at, recorded[key], live[key]);
        continue;
      }
      const found = this.difference(recorded[key], live[key], at);
      if (found !== null) return found;
    }
    return null;
  }

  #renamed(text: string): string {
    return text.replaceAll(/\b(?:sevt|sthr|outc)_\w+/g, (id) => this.of(id));
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function said(path: string, recorded: unknown, live: unknown): string {
  return `${path}: recorded ${short(recorded)}, now ${short(live)}`;
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
