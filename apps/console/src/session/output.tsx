// Monospace text of any length: the first lines, the rest on demand. Terminal colours are removed, nothing else.
import { memo, useState } from 'react';
import { CopyButton } from '../ui/copy-button.tsx';

const SHOWN_LINES = 14;
const SHOWN_CHARACTERS = 4_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
const TERMINAL_CODES = /\u001b\[[0-9;?]*[A-Za-z]/g;

interface Props {
  text: string;
  label?: string;
  tone?: 'plain' | 'error';
  /** Breaks long lines instead of scrolling sideways. */
  wrap?: boolean;
}

export const Output = memo(function Output({ text, label = '', tone = 'plain', wrap = false }: Props) {
  const [open, setOpen] = useState(false);
  const clean = text.replace(TERMINAL_CODES, '').replace(/\n+$/, '');
  const start = clip(clean);
  const clipped = start.length < clean.length;
  return (
    <div className="group/output relative overflow-hidden rounded-lg bg-kumo-recessed">
      <div className="absolute top-1 right-1 flex items-center gap-1 opacity-0 transition-opacity group-focus-within/output:opacity-100 group-hover/output:opacity-100">
        {label !== '' && <span className="font-mono text-xs text-kumo-subtle">{label}</span>}
        <span className="rounded-md bg-kumo-base">
          <CopyButton text={clean} />
        </span>
      </div>
      <pre
        className={`max-h-[36rem] overflow-auto px-3 py-2.5 font-mono text-xs leading-relaxed -outline-offset-2 ${wrap ? 'break-words whitespace-pre-wrap' : ''} ${tone === 'error' ? 'text-kumo-danger' : 'text-kumo-default'}`}
      >
        {clean === '' ? <span className="text-kumo-subtle">(no output)</span> : open ? clean : start}
      </pre>
      {clipped && (
        <button
          type="button"
          onClick={() => setOpen(!open)}
          className="w-full border-t border-kumo-hairline px-3 py-1.5 text-left text-xs text-kumo-subtle -outline-offset-2 hover:bg-kumo-tint hover:text-kumo-default"
        >
          {open ? 'Show less' : `Show all ${describeSize(clean)}`}
        </button>
      )}
    </div>
  );
});

function clip(text: string): string {
  const lines = text.split('\n', SHOWN_LINES + 1);
  const start = lines.length > SHOWN_LINES ? lines.slice(0, SHOWN_LINES).join('\n') : text;
  return start.slice(0, SHOWN_CHARACTERS);
}

function describeSize(text: string): string {
  const lines = text.split('\n').length;
  return lines > SHOWN_LINES
    ? `${lines.toLocaleString('en')} lines`
    : `${text.length.toLocaleString('en')} characters`;
}
