// Mutants: small changes of a source file, each of which some test has to notice.
import { type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast';
import {
  isArrayLiteralExpression,
  isBinaryExpression,
  isBlock,
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
  /** What stands before it: it is found again by that. */
  before: string;
  was: string;
  becomes: string;
}

const CONTEXT_CHARS = 80;

type Change = Pick<Mutant, 'start' | 'end' | 'becomes'>;

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
const SWAPPED_CALLS: Record<string, string> = { min: 'max', max: 'min', some: 'every', every: 'some' };
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
  const visit = (node: Node): void => {
    if (TYPES.has(node.kind)) return;
    for (const change of changesOf(node, text)) {
      const { start, end, becomes } = change;
      const line = text.slice(0, start).split('\n').length;
      const before = text.slice(Math.max(0, start - CONTEXT_CHARS), start);
      mutants.push({ file, line, start, end, before, was: text.slice(start, end), becomes });
    }
    node.forEachChild(visit);
  };
  source.forEachChild(visit);
  return mutants;
}

function changesOf(node: Node, text: string): Change[] {
  const start = node.getStart();
  const whole = (becomes: string): Change => ({ start, end: node.end, becomes });
  const of = (part: Node) => text.slice(part.getStart(), part.end);
  if (isBinaryExpression(node)) {
    const { left, right, operatorToken: operator } = node;
    const swapped = SWAPPED.get(operator.kind);
    if (operator.kind === SyntaxKind.QuestionQuestionToken) return [whole(of(left)), whole(of(right))];
    if (swapped === undefined) return [];
    const swap = { start: operator.getStart(), end: operator.end, becomes: swapped };
    return LOGICAL.has(operator.kind) ? [swap, whole(of(left)), whole(of(right))] : [swap];
  }
  if (isIfStatement(node)) {
    const { expression } = node;
    const place = { start: expression.getStart(), end: expression.end };
    return [
      { ...place, becomes: 'true' },
      { ...place, becomes: 'false' },
    ];
  }
  if (isConditionalExpression(node))
    return [whole(`(${of(node.whenTrue)})`), whole(`(${of(node.whenFalse)})`)];
  if (isPrefixUnaryExpression(node))
    return node.operator === SyntaxKind.ExclamationToken ? [whole(of(node.operand))] : [];
  if (isNumericLiteral(node)) return [whole(String(Number(node.text.replaceAll('_', '')) + 1))];
  if (node.kind === SyntaxKind.TrueKeyword) return [whole('false')];
  if (node.kind === SyntaxKind.FalseKeyword) return [whole('true')];
  if (isArrayLiteralExpression(node)) return without(node.elements);
  if (isObjectLiteralExpression(node)) return without(node.properties);
  if (isCallExpression(node)) return callChanges(node.expression, { of, whole });
  const step = isExpressionStatement(node) && node.parent !== undefined && isBlock(node.parent);
  return step && isCallExpression(node.expression) ? [whole('')] : [];
}

interface Words {
  of(part: Node): string;
  whole(becomes: string): Change;
}

function callChanges(called: Node, { of, whole }: Words): Change[] {
  if (!isPropertyAccessExpression(called)) return [];
  const name = called.name.text;
  const swapped = SWAPPED_CALLS[name];
  if (swapped !== undefined)
    return [{ start: called.name.getStart(), end: called.name.end, becomes: swapped }];
  return PASSED_BY.has(name) ? [whole(of(called.expression))] : [];
}

/** Without one of the entries, in turn. */
function without(entries: readonly Node[]): Change[] {
  return entries.map((entry, index) => {
    const next = entries[index + 1];
    return { start: entry.getStart(), end: next?.getStart() ?? entry.end, becomes: '' };
  });
}
