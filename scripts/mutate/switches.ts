// A source file with all its mutants in it, each behind a switch: `mutates(id)` is true for the one that is tried. So a
// program is loaded once, and a mutant costs no more than the tests that notice it.
import type { Mutant, Range } from './mutants.ts';

/** The name the switches ask by; whoever runs the source defines it. */
export const SWITCH = 'globalThis.mutates';

interface Place extends Range {
  mutants: { id: number; mutant: Mutant }[];
  inner: Place[];
}

/** `ids`: of each mutant, the number it is asked for by. */
export function withSwitches(
  text: string,
  mutants: readonly Mutant[],
  ids: ReadonlyMap<string, number>,
): string {
  const root: Place = { start: 0, end: text.length, mutants: [], inner: [] };
  const outerFirst = [...mutants].sort(
    (one, other) => one.within.start - other.within.start || other.within.end - one.within.end,
  );
  for (const mutant of outerFirst) {
    const id = ids.get(mutant.key);
    if (id !== undefined) placeOf(root, mutant.within).mutants.push({ id, mutant });
  }
  return render(text, root);
}

function placeOf(outer: Place, range: Range): Place {
  const last = outer.inner.at(-1);
  if (last !== undefined && last.start === range.start && last.end === range.end) return last;
  if (last !== undefined && range.end <= last.end) return placeOf(last, range);
  const place: Place = { ...range, mutants: [], inner: [] };
  outer.inner.push(place);
  return place;
}

function render(text: string, { start, end, mutants, inner }: Place): string {
  let at = start;
  let rendered = '';
  for (const place of inner) {
    rendered += text.slice(at, place.start) + render(text, place);
    at = place.end;
  }
  rendered += text.slice(at, end);
  if (mutants.length === 0) return rendered;
  const choices = mutants.map(({ id, mutant }) => {
    const changed = text.slice(start, mutant.start) + mutant.becomes + text.slice(mutant.end, end);
    return `${SWITCH}(${id}) ? (${changed}) : `;
  });
  return `(${choices.join('')}(${rendered}))`;
}
