// What the development model answers, before a protocol puts it on the wire.
import { randomBytes } from 'node:crypto';

export type Block =
  | { kind: 'thinking'; text: string }
  | { kind: 'text'; text: string }
  | { kind: 'refusal'; text: string }
  | { kind: 'call'; name: string; argumentsJson: string };

export interface Usage {
  inputTokens: number;
  /** How many of the input tokens are told as read from the prompt cache. */
  cachedTokens: number;
  outputTokens: number;
  reasoningTokens: number;
}

export type Stop = 'end' | 'calls' | 'length' | 'refusal';

export interface Reply {
  blocks: Block[];
  stop: Stop;
  usage: Usage;
}

/** A piece of a stream. A beat carries a part of the reply: delays, cuts and failures fall on beats. */
export interface Frame {
  data: string;
  beat: boolean;
}

/** An id nobody else has: like a real provider's, it does not repeat when the same request is sent again. */
export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(12).toString('hex')}`;
}

const LONG_TEXT_CHARS = 8192;
const ARGUMENT_CHARS = 24;

/** Cuts text as it is streamed: word by word, or sixteen words at a time when it is long. */
export function piecesOf(text: string): string[] {
  const words = text.match(/\s*\S+(?:\s+$)?|^\s+$/g) ?? [];
  if (text.length <= LONG_TEXT_CHARS) return words;
  const pieces: string[] = [];
  for (let at = 0; at < words.length; at += 16) pieces.push(words.slice(at, at + 16).join(''));
  return pieces;
}

/** Cuts the JSON of a tool call's arguments as it is streamed. */
export function argumentPiecesOf(json: string): string[] {
  const pieces: string[] = [];
  const size = Math.max(ARGUMENT_CHARS, Math.ceil(json.length / 256));
  const characters = Array.from(json);
  for (let at = 0; at < characters.length; at += size) pieces.push(characters.slice(at, at + size).join(''));
  return pieces;
}

export function textOf(blocks: Block[], kind: 'text' | 'thinking' | 'refusal'): string {
  return blocks.map((block) => (block.kind === kind ? block.text : '')).join('');
}
