// A tool call with what came of it; folds away, and asks when the person must decide.
import {
  CaretRightIcon,
  CheckIcon,
  CircleNotchIcon,
  HandPalmIcon,
  ProhibitIcon,
  XIcon,
} from '@phosphor-icons/react';
import { memo, useId, useState } from 'react';
import { Approval } from './approval.tsx';
import { CustomResult } from './custom-result.tsx';
import type { LiveSession } from './live-session.ts';
import { Output } from './output.tsx';
import { type Confirmation, judgementOf, type ToolResult, type ToolUse } from './timeline.ts';
import { ToolContent } from './tool-content.tsx';

interface Props {
  session: LiveSession;
  use: ToolUse;
  result: ToolResult | undefined;
  confirmation: Confirmation | undefined;
  awaiting: boolean;
}

export const ToolCall = memo(function ToolCall({ session, use, result, confirmation, awaiting }: Props) {
  const [open, setOpen] = useState(true);
  const body = useId();
  const { text, rest, whole } = summary(use);
  // Who decides sees all of what is decided, not the part that fits on a line.
  const input = awaiting ? whole : rest;
  const judgement = judgementOf(use);
  const empty =
    input === null && result === undefined && !awaiting && !confirmation?.deny_message && judgement === null;
  return (
    <div
      id={use.id}
      className={`overflow-hidden rounded-xl bg-kumo-base ring ${awaiting ? 'ring-kumo-warning' : 'ring-kumo-hairline'}`}
    >
      <button
        type="button"
        aria-expanded={open}
        aria-controls={body}
        onClick={() => setOpen(!open)}
        className="flex w-full items-center gap-2 px-3 py-2 text-left -outline-offset-2 hover:bg-kumo-tint/60"
      >
        <CaretRightIcon
          className={`size-3.5 shrink-0 text-kumo-subtle transition-transform ${open ? 'rotate-90' : ''}`}
        />
        <span className="shrink-0 font-mono text-xs font-semibold text-kumo-strong">{nameOf(use)}</span>
        <span className="min-w-0 flex-1 truncate font-mono text-xs text-kumo-subtle">
          {awaiting && open ? '' : text}
        </span>
        <Outcome result={result} confirmation={confirmation} awaiting={awaiting} />
      </button>
      {open && !empty && (
        <div id={body} className="flex flex-col gap-2 px-3 pb-3">
          {input !== null && <Output text={input} wrap />}
          {judgement !== null && (
            <p className="text-sm break-words text-kumo-subtle">
              {judgement.said} {judgement.why}
            </p>
          )}
          {confirmation?.result === 'deny' && confirmation.deny_message && (
            <p className="text-sm break-words text-kumo-subtle">You said: {confirmation.deny_message}</p>
          )}
          {result !== undefined && <ToolContent result={result} />}
          {awaiting &&
            (use.type === 'agent.custom_tool_use' ? (
              <CustomResult session={session} useId={use.id} />
            ) : (
              <Approval session={session} useId={use.id} />
            ))}
        </div>
      )}
    </div>
  );
});

function Outcome({ result, confirmation, awaiting }: Pick<Props, 'result' | 'confirmation' | 'awaiting'>) {
  const look = awaiting
    ? { icon: HandPalmIcon, label: 'Waiting for you', tone: 'text-kumo-warning' }
    : confirmation?.result === 'deny'
      ? { icon: ProhibitIcon, label: 'Denied', tone: 'text-kumo-subtle' }
      : result === undefined
        ? { icon: CircleNotchIcon, label: 'Running', tone: 'text-accent animate-spin' }
        : result.is_error
          ? { icon: XIcon, label: 'Failed', tone: 'text-kumo-danger' }
          : { icon: CheckIcon, label: 'Done', tone: 'text-kumo-success' };
  const Icon = look.icon;
  return (
    <span className="flex shrink-0 items-center gap-1.5 text-xs text-kumo-subtle">
      <Icon weight="bold" className={`size-3.5 ${look.tone}`} aria-hidden="true" />
      <span className={awaiting ? 'font-medium text-kumo-default' : 'max-sm:sr-only'}>{look.label}</span>
    </span>
  );
}

function nameOf(use: ToolUse): string {
  return use.type === 'agent.mcp_tool_use' ? `${use.mcp_server_name}/${use.name}` : use.name;
}

const TELLING = ['command', 'file_path', 'path', 'pattern', 'url', 'query'];

interface Summary {
  text: string;
  /** What the line does not say. */
  rest: string | null;
  whole: string | null;
}

/** The telling part of the input for one line, and the rest below it. */
function summary({ input }: ToolUse): Summary {
  const entries = Object.entries(input);
  const name = TELLING.find((key) => typeof input[key] === 'string');
  if (name === undefined) {
    const whole = entries.length === 0 ? null : JSON.stringify(input, null, 2);
    return { text: '', rest: whole, whole };
  }
  const value = String(input[name]);
  const others = entries.filter(([key]) => key !== name).map(toLine);
  const long = value.includes('\n') || value.length > 60;
  const rest = [...(long ? [value] : []), ...others].join('\n');
  return { text: value, rest: rest === '' ? null : rest, whole: [value, ...others].join('\n') };
}

function toLine([key, value]: [string, unknown]): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.includes('\n') ? `${key}:\n${text}` : `${key}: ${text}`;
}
