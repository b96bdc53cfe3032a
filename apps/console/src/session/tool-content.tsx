// What a tool gave back: text as it is, images from their own bytes only; nothing is fetched.
import type { ToolResultContent } from '@capstan/schema/content';
import { Output } from './output.tsx';
import type { ToolResult } from './timeline.ts';

const SHOWN_IMAGES: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);

export function ToolContent({ result }: { result: ToolResult }) {
  const tone = result.is_error ? 'error' : 'plain';
  const content = result.content ?? [];
  if (content.length === 0) return <Output text="" tone={tone} />;
  return content.map((block, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: the content of an event never changes
    <Content key={index} block={block} tone={tone} />
  ));
}

function Content({ block, tone }: { block: ToolResultContent; tone: 'plain' | 'error' }) {
  switch (block.type) {
    case 'text':
      return <Output text={block.text} tone={tone} />;
    case 'search_result':
      return (
        <Output
          text={`${block.title}\n${block.source}\n\n${block.content.map(({ text }) => text).join('\n')}`}
        />
      );
    case 'document':
      return (
        <Output
          text={
            block.source.type === 'text'
              ? block.source.data
              : `[document: ${block.title ?? block.source.type}]`
          }
        />
      );
    case 'image': {
      const { source } = block;
      if (source.type !== 'base64' || !SHOWN_IMAGES.has(source.media_type)) {
        return <Output text={`[image: ${source.type === 'url' ? source.url : source.type}]`} />;
      }
      return (
        <img
          src={`data:${source.media_type};base64,${source.data}`}
          alt="Returned by the tool"
          className="max-h-96 max-w-full self-start rounded-lg"
        />
      );
    }
  }
}
