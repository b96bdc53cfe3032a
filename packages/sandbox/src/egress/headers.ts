// Headers as they stood on the wire: pairs in their order, with what concerns one hop removed and what is ambiguous refused.
import type { IncomingMessage } from 'node:http';

export type HeaderPair = readonly [name: string, value: string];

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);
/** Whoever names these in Connection wants them lost on the way: two hops would read two different messages. */
const NOT_HOP_BY_HOP = new Set([
  'host',
  'content-length',
  'content-type',
  'authorization',
  'transfer-encoding',
]);
const SINGLE = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'proxy-authorization',
  'authorization',
]);

export function pairsOf({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): HeaderPair[] {
  const pairs: HeaderPair[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    pairs.push([rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '']);
  return pairs;
}

export function flatten(pairs: readonly HeaderPair[]): string[] {
  return pairs.flat();
}

export function valuesOf(pairs: readonly HeaderPair[], name: string): string[] {
  return pairs.filter(([given]) => given.toLowerCase() === name).map(([, value]) => value);
}

export function without(pairs: readonly HeaderPair[], names: ReadonlySet<string>): HeaderPair[] {
  return pairs.filter(([name]) => !names.has(name.toLowerCase()));
}

/** What is meant for the other end: neither ours nor named by Connection. */
export function endToEnd(pairs: readonly HeaderPair[]): HeaderPair[] {
  return without(pairs, new Set([...HOP_BY_HOP, ...connectionOptions(pairs)]));
}

/** Whether two readers of this message could disagree on where it ends or whom it is for. */
export function isAmbiguous(pairs: readonly HeaderPair[]): boolean {
  const names = pairs.map(([name]) => name.toLowerCase()).filter((name) => SINGLE.has(name));
  if (new Set(names).size !== names.length) return true;
  const [coding] = valuesOf(pairs, 'transfer-encoding');
  const [length] = valuesOf(pairs, 'content-length');
  if (coding !== undefined && (length !== undefined || coding.toLowerCase() !== 'chunked')) return true;
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return true;
  return connectionOptions(pairs).some((option) => NOT_HOP_BY_HOP.has(option));
}

/** The header that frames the body of a forwarded request, taken from the one that framed it here. */
export function framingOf(pairs: readonly HeaderPair[]): HeaderPair[] {
  const chunked = valuesOf(pairs, 'transfer-encoding').length > 0;
  return chunked ? [['Transfer-Encoding', 'chunked']] : [];
}

function connectionOptions(pairs: readonly HeaderPair[]): string[] {
  return valuesOf(pairs, 'connection').flatMap((value) =>
    value
      .toLowerCase()
      .split(',')
      .map((option) => option.trim()),
  );
}
