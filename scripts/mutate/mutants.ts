// Mutants: small changes of a source file, each of which some test has to notice.
import { createHash } from 'node:crypto';
import { type CallExpression, type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast';
import {
  isArrayLiteralExpression,
  isBinaryExpression,
  isCallExpression,
  isConditionalExpression,
  isExpressionStatement,
  isIfStatement,
  isNumericLiteral,
  isObjectLiteralExpression,
  isPrefixUnaryExpression,
  isPropertyAccessExpression,
} from 'typescript/unstable/ast/is';

export interface Mutant {
  /** Path from the root of the repository. */
  file: string;
  line: number;
  start: number;
  end: number;
  was: string;
  becomes: string;
  /** The expression it changes. */
  within: Range;
  /** The same in every run, as long as the lines around it are. */
  key: string;
}

export interface Range {
  start: number;
  end: number;
}

const CONTEXT_CHARS = 80;

type Change = Pick<Mutant, 'start' | 'end' | 'becomes' | 'within'>;

const SWAPPED: ReadonlyMap<SyntaxKind, string> = new Map([
  [SyntaxKind.EqualsEqualsEqualsToken, '!=='],
  [SyntaxKind.ExclamationEqualsEqualsToken, '==='],
  [SyntaxKind.LessThanToken, '<='],
  [SyntaxKind.LessThanEqualsToken, '<'],
  [SyntaxKind.GreaterThanToken, '>='],
  [SyntaxKind.GreaterThanEqualsToken, '>'],
  [SyntaxKind.AmpersandAmpersandToken, '||'],
  [SyntaxKind.BarBarToken, '&&'],
  [SyntaxKind.PlusToken, '-'],
  [SyntaxKind.MinusToken, '+'],
  [SyntaxKind.AsteriskToken, '/'],
  [SyntaxKind.SlashToken, '*'],
]);
const LOGICAL = new Set([SyntaxKind.AmpersandAmpersandToken, SyntaxKind.BarBarToken]);
const SWAPPED_CALLS: ReadonlyMap<string, string> = new Map([
  ['min', 'max'],
  ['max', 'min'],
  ['some', 'every'],
  ['every', 'some'],
]);
/** Calls that may be left out: the receiver stands in their place. */
const PASSED_BY = new Set(['filter', 'slice', 'sort', 'toReversed']);
/** What is only there for the compiler. */
const TYPES = new Set([
  SyntaxKind.ImportDeclaration,
  SyntaxKind.InterfaceDeclaration,
  SyntaxKind.TypeAliasDeclaration,
  SyntaxKind.TypeReference,
  SyntaxKind.TypeLiteral,
  SyntaxKind.UnionType,
  SyntaxKind.LiteralType,
  SyntaxKind.ArrayType,
]);

export function mutantsOf(file: string, source: SourceFile): Mutant[] {
  const { text } = source;
  const mutants: Mutant[] = [];
  const seen = new Map<string, number>();
  const visit = (node: Node): void => {
    if (TYPES.has(node.kind)) return;
    for (const change of changesOf(node, text)) {
      const { start, end, becomes } = change;
      const line = text.slice(0, start).split('\n').length;
      const was = text.slice(start, end);
      const place = [file, text.slice(Math.max(0, start - CONTEXT_CHARS), start), was, becomes].join('\0');
      const earlier = seen.get(place) ?? 0;
      seen.set(place, earlier + 1);
      const key = createHash('sha256').update(`${place}\0${earlier}`).digest('hex').slice(0, 16);
      mutants.push({ ...change, file, line, was, key });
    }
    node.forEachChild(visit);
  };
  source.forEachChild(visit);
  return mutants;
}

function changesOf(node: Node, text: string): Change[] {
  const within = { start: node.getStart(), end: node.end };
  const whole = (becomes: string): Change => ({ ...within, becomes, within });
  const of = (part: Node) => text.slice(part.getStart(), part.end);
  if (isBinaryExpression(node)) {
    const { left, right, operatorToken: operator } = node;
    const swapped = SWAPPED.get(operator.kind);
    if (operator.kind === SyntaxKind.QuestionQuestionToken) return [whole(of(left)), whole(of(right))];
    if (swapped === undefined) return [];
    const swap = { start: operator.getStart(), end: operator.end, becomes: swapped, within };
    return LOGICAL.has(operator.kind) ? [swap, whole(of(left)), whole(of(right))] : [swap];
  }
  if (isIfStatement(node)) {
    const { expression } = node;
    const place = { start: expression.getStart(), end: expression.end };
    return ['true', 'false'].map((becomes) => ({ ...place, becomes, within: place }));
  }
  if (isConditionalExpression(node))
    return [whole(`(${of(node.whenTrue)})`), whole(`(${of(node.whenFalse)})`)];
  if (isPrefixUnaryExpression(node))
    return node.operator === SyntaxKind.ExclamationToken ? [whole(of(node.operand))] : [];
  if (isNumericLiteral(node)) return [whole(String(Number(node.text.replaceAll('_', '')) + 1))];
  if (node.kind === SyntaxKind.TrueKeyword) return [whole('false')];
  if (node.kind === SyntaxKind.FalseKeyword) return [whole('true')];
  if (isArrayLiteralExpression(node)) return without(node.elements, { text, within });
  if (isObjectLiteralExpression(node)) return without(node.properties, { text, within });
  if (isCallExpression(node)) return callChanges(node, text);
  return [];
}

function callChanges(call: CallExpression, text: string): Change[] {
  const within = { start: call.getStart(), end: call.end };
  // A step whose result nobody reads is left out.
  if (call.parent !== undefined && isExpressionStatement(call.parent))
    return [{ ...within, becomes: 'undefined', within }];
  const called = call.expression;
  if (!isPropertyAccessExpression(called)) return [];
  const name = called.name.text;
  const swapped = SWAPPED_CALLS.get(name);
  if (swapped !== undefined)
    return [{ start: called.name.getStart(), end: called.name.end, becomes: swapped, within }];
  const { expression: receiver } = called;
  const passed = text.slice(receiver.getStart(), receiver.end);
  return PASSED_BY.has(name) ? [{ ...within, becomes: passed, within }] : [];
}

/** Without one of the entries, in turn, and the comma behind it. */
function without(entries: readonly Node[], { text, within }: { text: string; within: Range }): Change[] {
  return entries.map((entry, index) => {
    const comma = /^\s*,/.exec(text.slice(entry.end))?.[0].length ?? 0;
    const end = entries[index + 1]?.getStart() ?? entry.end + comma;
    return { start: entry.getStart(), end, becomes: '', within };
  });
}
