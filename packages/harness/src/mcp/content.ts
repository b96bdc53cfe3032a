// What a tool of an MCP server answers, as the content of a tool result.
import type { ToolResultContent } from '@capstan/schema/content';
import { nestsWithin } from '@capstan/shared/nesting';
import { clean } from '../tools/output-text.ts';
import type { McpResult } from './connection.ts';

type Block = NonNullable<McpResult['content']>[number];

/** What models and the log are shown of media; the rest is named. */
const IMAGES: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);

export function toContent({ content = [], structuredContent }: McpResult): ToolResultContent[] {
  const blocks = content.flatMap(toBlocks);
  if (blocks.length > 0 || structuredContent === undefined) return blocks;
  if (!nestsWithin(structuredContent)) return text('[A result that nests too deep to be shown.]');
  return text(JSON.stringify(structuredContent, null, 2));
}

function toBlocks(block: Block): ToolResultContent[] {
  switch (block.type) {
    case 'text':
      return text(block.text);
    case 'image':
      return media(block.mimeType, block.data);
    case 'audio':
      return text(`[Audio of type ${block.mimeType}: it cannot be shown.]`);
    case 'resource_link':
      return text(
        `[Resource ${block.name}: ${block.uri}${block.description ? ` (${block.description})` : ''}]`,
      );
    case 'resource': {
      const { resource } = block;
      if ('text' in resource) return text(`[Resource ${resource.uri}]\n${resource.text}`);
      const named = text(`[Resource ${resource.uri}]`);
      return [...named, ...media(resource.mimeType ?? 'application/octet-stream', resource.blob)];
    }
    default:
      return text('[A part of the result is of a kind that cannot be shown.]');
  }
}

function media(type: string, data: string): ToolResultContent[] {
  if (!isBase64(data)) return text(`[Data of type ${type} that cannot be read.]`);
  const source = { type: 'base64' as const, media_type: type, data };
  if (IMAGES.has(type)) return [{ type: 'image', source }];
  if (type === 'application/pdf') return [{ type: 'document', source }];
  return text(`[Data of type ${type}, ${Math.floor((data.length * 3) / 4)} bytes: it cannot be shown.]`);
}

function isBase64(data: string): boolean {
  return data.length > 0 && data.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(data);
}

function text(words: string): ToolResultContent[] {
  const cleaned = clean(words);
  return cleaned === '' ? [] : [{ type: 'text', text: cleaned }];
}
