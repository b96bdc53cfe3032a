// Content that names an uploaded file. What no model can be given would stay in the context, and every later turn would fail of it.
import type { ToolResultContent } from '@capstan/schema/content';
import { ApiError } from '@capstan/schema/error';
import type { EventParam } from '@capstan/schema/events/user-events';

/** Refuses (`invalid_request`) an event that names a file; `path` names the event to its sender. */
export function refuseFiles(event: EventParam, path: string): void {
  if (event.type === 'user.define_outcome') {
    if (event.rubric.type === 'file') throw refusal(`${path}.rubric`, 'send the rubric itself as text');
    return;
  }
  if (!('content' in event)) return;
  for (const [index, block] of (event.content ?? []).entries()) {
    if (namesFile(block))
      throw refusal(`${path}.content.${index}.source`, 'send the content itself (base64 or text) or a url');
  }
}

function namesFile(block: ToolResultContent): boolean {
  return (block.type === 'image' || block.type === 'document') && block.source.type === 'file';
}

function refusal(path: string, instead: string): ApiError {
  return new ApiError('invalid_request', `${path}: files are not supported by this server yet; ${instead}`);
}
