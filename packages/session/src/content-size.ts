// How much of a model's context content takes up, in characters of Latin text: words by their script, media at a share of
// their bytes.
import type { ThreadContent, ToolResultContent, UserContent } from '@capstan/schema/content';
import { textSize } from './text-size.ts';

/**
 * What an image counts for in the size of a context. A large one counts for a share of its Base64 text: the context stands
 * in memory, and providers take 32 MB, which is about where the images of an ordinary window end by it.
 */
const IMAGE_CHARS = 6_000;
const IMAGE_SHARE = 0.02;
/** A document that is sent as bytes counts for no less than an image, and for this share of its Base64 text. */
const DOCUMENT_SHARE = 0.1;

/** Tokens that system prompt and tools take up, beside the context, where nothing has been measured yet. */
export const OVERHEAD_TOKENS = 1_500;

export function sizeOfContent(content: readonly Block[]): number {
  return content.reduce((sum, block) => sum + blockSize(block), 0);
}

type Block = UserContent | ToolResultContent | ThreadContent;

function blockSize(block: Block): number {
  const isText = block.type !== 'image' && block.type !== 'document';
  if (isText || block.source.type === 'text') return textSize(JSON.stringify(block));
  const bytes = block.source.type === 'base64' ? block.source.data.length : 0;
  return Math.max(IMAGE_CHARS, Math.ceil(bytes * (block.type === 'image' ? IMAGE_SHARE : DOCUMENT_SHARE)));
}
