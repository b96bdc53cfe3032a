// Images and documents that are files, brought into a model call as what is in them. What cannot be shown (any more) is a
// note in its place: it fails no call.
import type { ToolResultContent, UserContent } from '@capstan/schema/content';
import type { ContextItem, ModelCall } from '@capstan/session/harness';
import { MAX_SHOWN_BYTES, showingOf } from '@capstan/shared/shown-files';

export interface FileContent {
  mimeType: string;
  bytes: Uint8Array;
}

export interface FileContents {
  /** Null: it is gone, or longer than that. */
  read(fileId: string, maxBytes: number): Promise<FileContent | null>;
}

type Block = UserContent | ToolResultContent;
type FileBlock = Extract<Block, { type: 'image' | 'document' }>;

/** What was read for the last calls is kept: each call of a turn asks for it again. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

export class FileResolver {
  #files: FileContents;
  #kept = new Map<string, FileContent>();

  constructor(files: FileContents) {
    this.#files = files;
  }

  async resolve(call: ModelCall): Promise<ModelCall> {
    if (!call.context.some((item) => blocksOf(item).some(isFile))) return call;
    const context: ContextItem[] = [];
    for (const item of call.context) context.push(await this.#item(item));
    return { ...call, context };
  }

  async #item(item: ContextItem): Promise<ContextItem> {
    if (!blocksOf(item).some(isFile)) return item;
    if (item.type === 'user') return { ...item, content: await this.#blocks(item.content) };
    if (item.type === 'tool_result') return { ...item, content: await this.#blocks(item.content) };
    return item;
  }

  async #blocks<B extends Block>(blocks: readonly B[]): Promise<(B | UserContent)[]> {
    const shown: (B | UserContent)[] = [];
    for (const block of blocks) shown.push(isFile(block) ? await this.#block(block) : block);
    return shown;
  }

  async #block(block: FileBlock): Promise<UserContent> {
    const fileId = block.source.type === 'file' ? block.source.file_id : '';
    const found = await this.#read(fileId);
    if (found === null) return note(block, fileId, 'it is gone');
    const showing = showingOf({ mimeType: found.mimeType, sizeBytes: found.bytes.length }, block.type);
    if (typeof showing === 'string') return note(block, fileId, `it ${showing}`);
    if (block.type === 'document' && showing.as === 'text') {
      const data = new TextDecoder().decode(found.bytes);
      return { ...block, source: { type: 'text', media_type: 'text/plain', data } };
    }
    const source = { type: 'base64' as const, media_type: found.mimeType, data: toBase64(found.bytes) };
    return block.type === 'image' ? { ...block, source } : { ...block, source };
  }

  async #read(fileId: string): Promise<FileContent | null> {
    const kept = this.#kept.get(fileId);
    if (kept !== undefined) return kept;
    const found = await this.#files.read(fileId, MAX_SHOWN_BYTES);
    if (found === null) return null;
    this.#kept.set(fileId, found);
    let size = [...this.#kept.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
    for (const [oldest, { bytes }] of this.#kept) {
      if (size <= MAX_KEPT_BYTES) break;
      this.#kept.delete(oldest);
      size -= bytes.length;
    }
    return found;
  }
}

function blocksOf(item: ContextItem): readonly Block[] {
  return item.type === 'user' || item.type === 'tool_result' ? item.content : [];
}

function isFile(block: Block): block is FileBlock {
  return (block.type === 'image' || block.type === 'document') && block.source.type === 'file';
}

function note({ type }: FileBlock, fileId: string, why: string): UserContent {
  return { type: 'text', text: `[${type} ${fileId} not shown: ${why}]` };
}

export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += 8_192) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  }
  return btoa(binary);
}
