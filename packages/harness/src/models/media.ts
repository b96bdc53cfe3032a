// Images and documents in the form the models' SDK takes them; what a protocol cannot carry is refused by name.
import type { ToolResultContent, UserContent } from '@capstan/schema/content';
import { ModelFailure } from '@capstan/session/harness';
import type { Dialect } from './route.ts';

export type InputPart =
  | { type: 'input_text'; text: string }
  | { type: 'input_image'; image: string }
  | {
      type: 'input_file';
      file: string | { url: string };
      filename?: string;
      providerData?: { mediaType: string };
    };

type Document = Extract<UserContent, { type: 'document' }>;
type SearchResult = Extract<ToolResultContent, { type: 'search_result' }>;

/** One content block as input parts. Throws ModelFailure (not retryable) for what the protocol cannot carry. */
export function toParts(block: UserContent | ToolResultContent, dialect: Dialect): InputPart[] {
  switch (block.type) {
    case 'text':
      return [{ type: 'input_text', text: block.text }];
    case 'image':
      return [{ type: 'input_image', image: imageUrl(block.source) }];
    case 'document':
      return documentParts(block, dialect);
    case 'search_result':
      return [{ type: 'input_text', text: searchText(block) }];
  }
}

type ImageSource = Extract<UserContent, { type: 'image' }>['source'];

function imageUrl(source: ImageSource): string {
  if (source.type === 'base64') return `data:${source.media_type};base64,${source.data}`;
  if (source.type === 'url') return source.url;
  throw refused(`the image with file_id "${source.file_id}": send it as base64 or as a url`);
}

function documentParts(block: Document, dialect: Dialect): InputPart[] {
  const { source } = block;
  const filename = fileName(block.title);
  const about = [block.title, block.context].filter((line) => line).join('\n');
  const header: InputPart[] = about === '' ? [] : [{ type: 'input_text', text: `Document: ${about}` }];
  switch (source.type) {
    case 'text':
      return [...header, { type: 'input_text', text: source.data || '(empty document)' }];
    case 'base64': {
      if (source.media_type.startsWith('text/')) {
        return [...header, { type: 'input_text', text: decodeText(source.data) || '(empty document)' }];
      }
      const file = `data:${source.media_type};base64,${source.data}`;
      return [...header, { type: 'input_file', file, filename }];
    }
    case 'url': {
      if (dialect === 'chat') throw refused('a document by url over Chat Completions: send it as base64');
      const file: InputPart = { type: 'input_file', file: { url: source.url } };
      const mediaType = { providerData: { mediaType: 'application/pdf' } };
      return [...header, dialect === 'messages' ? { ...file, ...mediaType } : file];
    }
    case 'file':
      throw refused(`the document with file_id "${source.file_id}": send it as base64, text or a url`);
  }
}

function fileName(title: string | null | undefined): string {
  const name = title?.replace(/[^\w. -]/g, '_').slice(0, 100) ?? '';
  return name.includes('.') ? name : `${name || 'document'}.pdf`;
}

function searchText(block: SearchResult): string {
  return [`${block.title} (${block.source})`, ...block.content.map((part) => part.text)].join('\n');
}

function decodeText(base64: string): string {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}

function refused(what: string): ModelFailure {
  return new ModelFailure('model_request_failed_error', `The model cannot be given ${what}.`, {
    retryable: false,
  });
}
