// What was wrong with an input, in words: the full path of each field, what was expected and what came.
// Of a union the branch that came closest speaks, however deep it lies.
import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

interface Finding {
  path: PropertyKey[];
  text: string;
  /** The input was not even of the kind this branch of a union takes. */
  wrongKind: boolean;
}

const MOST = 5;

/** e.g. `events.0.content.1.text: expected string, received number`. Several findings are joined by `; `. */
export function describeIssues(error: z.core.$ZodError, root: string): string {
  const findings = error.issues.flatMap((issue) => toFindings(issue));
  const shown = findings.slice(0, MOST).map(({ path, text }) => `${path.join('.') || root}: ${text}`);
  const rest = findings.length - shown.length;
  return shown.join('; ') + (rest > 0 ? `; and ${rest} more` : '');
}

function toFindings(issue: Issue, base: PropertyKey[] = []): Finding[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'invalid_union' && issue.errors.length > 0) return closest(issue, path);
  if (issue.code === 'invalid_key' || issue.code === 'invalid_element') {
    return issue.issues.flatMap((inner) => toFindings(inner, path));
  }
  return [{ path, text: sentence(issue, path), wrongKind: issue.code === 'invalid_type' }];
}

function closest(issue: Issue & { code: 'invalid_union' }, path: PropertyKey[]): Finding[] {
  const branches = issue.errors.map((issues) => issues.flatMap((inner) => toFindings(inner, path)));
  const here = (finding: Finding) => finding.path.length === path.length;
  const inside = branches.filter((branch) => branch.some((finding) => !here(finding) || !finding.wrongKind));
  if (inside.length > 0) return inside.reduce((best, next) => (depth(next) > depth(best) ? next : best));
  const expected = issue.errors.flatMap((issues) => issues.map(expectation)).filter((text) => text !== null);
  return [{ path, text: `${mismatch([...new Set(expected)].join(' or '), issue.input)}`, wrongKind: true }];
}

function depth(findings: Finding[]): number {
  return Math.max(...findings.map((finding) => finding.path.length));
}

function expectation(issue: Issue): string | null {
  return issue.code === 'invalid_type' ? issue.expected : null;
}

/** What the library says when the schema chose no words of its own. */
const UNCHOSEN = /^Invalid /;

function sentence(issue: Issue, path: PropertyKey[]): string {
  if (!UNCHOSEN.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return mismatch(issue.expected, issue.input);
    case 'invalid_union':
      return oneOf('options' in issue ? (issue.options ?? []) : [], fieldOf(issue.input, path));
    case 'invalid_value':
      return oneOf(issue.values, issue.input);
    default:
      return issue.message;
  }
}

/** A discriminator's issue points at the field but carries the object around it. */
function fieldOf(input: unknown, path: PropertyKey[]): unknown {
  const name = path.at(-1);
  return input instanceof Object && name !== undefined ? Reflect.get(input, name) : input;
}

function mismatch(expected: string, input: unknown): string {
  return input === undefined
    ? `required: expected ${expected}`
    : `expected ${expected}, received ${kindOf(input)}`;
}

function oneOf(options: readonly unknown[], input: unknown): string {
  const list = options.map((option) => JSON.stringify(option)).join(', ');
  const expected = options.length === 1 ? list : `one of ${list}`;
  if (input === undefined) return `required: expected ${expected}`;
  const shown = typeof input === 'string' && input.length <= 64 ? JSON.stringify(input) : kindOf(input);
  return `expected ${expected}, received ${shown}`;
}

function kindOf(input: unknown): string {
  if (input === null || Number.isNaN(input)) return String(input);
  return Array.isArray(input) ? 'array' : typeof input;
}
