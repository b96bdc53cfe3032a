// What an agent wrote, as React text nodes: fences, inline code, bold and headings. Never HTML, never a live link.
import { Fragment, memo } from 'react';
import { Output } from './output.tsx';

export type Block =
  | { kind: 'text' | 'heading'; text: string }
  | { kind: 'code'; text: string; language: string };

export const Prose = memo(function Prose({ text, live = false }: { text: string; live?: boolean }) {
  const blocks = toBlocks(text);
  const caret = live && (
    <span className="ml-0.5 inline-block h-[1.1em] w-[3px] animate-caret bg-accent align-text-bottom" />
  );
  return (
    <div className="flex flex-col gap-3">
      {blocks.map((block, index) => {
        const last = index === blocks.length - 1;
        // Text only grows at its end, so a block keeps its place.
        const key = index;
        if (block.kind === 'code') return <Output key={key} text={block.text} label={block.language} />;
        return (
          <p
            key={key}
            className={`break-words whitespace-pre-wrap ${block.kind === 'heading' ? 'font-semibold text-kumo-strong' : ''}`}
          >
            <Inline text={block.text.replace(/^(\s*)[-*] /gm, '$1• ')} />
            {last && caret}
          </p>
        );
      })}
      {blocks.length === 0 && caret}
    </div>
  );
});

function Inline({ text }: { text: string }) {
  return text.split(/(`[^`\n]+`|\*\*[^*\n]+\*\*)/).map((part, index) => {
    const key = index;
    if (index % 2 === 0) return <Fragment key={key}>{part}</Fragment>;
    if (part.startsWith('**')) return <strong key={key}>{part.slice(2, -2)}</strong>;
    return (
      <code key={key} className="rounded bg-kumo-tint px-1 py-0.5 font-mono text-[0.92em]">
        {part.slice(1, -1)}
      </code>
    );
  });
}

/** Paragraphs, headings and fenced code, in order; a fence that is still open ends with the text. */
export function toBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  let code: { fence: string; language: string; lines: string[] } | null = null;
  let lines: string[] = [];
  const flush = () => {
    const paragraph = lines.join('\n').trim();
    if (paragraph !== '') blocks.push({ kind: 'text', text: paragraph });
    lines = [];
  };
  for (const line of text.split('\n')) {
    const fence = /^\s*(```+|~~~+)\s*(\S*)/.exec(line);
    if (code !== null) {
      if (fence?.[1]?.startsWith(code.fence)) {
        blocks.push({ kind: 'code', text: code.lines.join('\n'), language: code.language });
        code = null;
      } else code.lines.push(line);
    } else if (fence !== null) {
      flush();
      code = { fence: fence[1] ?? '', language: fence[2] ?? '', lines: [] };
    } else if (/^#{1,6} /.test(line)) {
      flush();
      blocks.push({ kind: 'heading', text: line.replace(/^#+ /, '') });
    } else if (line.trim() === '') flush();
    else lines.push(line);
  }
  flush();
  if (code !== null) blocks.push({ kind: 'code', text: code.lines.join('\n'), language: code.language });
  return blocks;
}
