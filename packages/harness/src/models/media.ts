// Images and documents in the form the models' SDK takes them.
//   D1 What a protocol or a model cannot be given goes as a note in its place that says so: it never fails a call.
//   D2 Before `mediaFrom` every image and document is a note, so that content a provider has refused is not sent again.
import type { ToolResultContent, UserContent } from '@capstan/schema/content';
import type { ContextItem, ModelCall } from '@capstan/session/harness';
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

type Block = UserContent | ToolResultContent;
type Image = Extract<Block, { type: 'image' }>;
type Document = Extract<Block, { type: 'document' }>;
type SearchResult = Extract<Block, { type: 'search_result' }>;

/** One content block as input parts. */
export function toParts(block: Block, dialect: Dialect): InputPart[] {
  switch (block.type) {
    case 'text':
      return [words(block.text)];
    case 'image':
      return [imagePart(block)];
    case 'document':
      return documentParts(block, dialect);
    case 'search_result':
      return [words(searchText(block))];
  }
}

/** The context with notes for the images and documents before `mediaFrom`. */
export function withheld({ context, mediaFrom }: Pick<ModelCall, 'context' | 'mediaFrom'>): ContextItem[] {
  return context.map((item, index) => (index < mediaFrom ? withoutMedia(item) : item));
}

/** Whether a call sends an image or a document as such. */
export function carriesMedia(call: Pick<ModelCall, 'context' | 'mediaFrom'>, dialect: Dialect): boolean {
  return withheld(call).some(
    (item) =>
      (item.type === 'user' || item.type === 'tool_result') &&
      item.content.some((block) => toParts(block, dialect).some((part) => part.type !== 'input_text')),
  );
}

function withoutMedia(item: ContextItem): ContextItem {
  switch (item.type) {
    case 'user':
      return { ...item, content: item.content.map(withoutMediaBlock) };
    case 'tool_result':
      return { ...item, content: item.content.map(withoutMediaBlock) };
    default:
      return item;
  }
}

const REFUSED = "the model's provider refused an image or document of this conversation";

function withoutMediaBlock<B extends Block>(block: B): B | { type: 'text'; text: string } {
  if (block.type === 'image') return { type: 'text', text: note(`image${originOf(block)}`, REFUSED) };
  if (block.type !== 'document' || isText(block)) return block;
  return { type: 'text', text: note(`document${originOf(block)}`, REFUSED) };
}

const IMAGE_TYPES = /^image\/(?:png|jpe?g|gif|webp)$/i;

function imagePart(block: Image): InputPart {
  const { source } = block;
  const refuse = (why: string) => words(note(`image${originOf(block)}`, why));
  switch (source.type) {
    case 'url':
      return { type: 'input_image', image: source.url };
    case 'file':
      return refuse('send it as base64 or as a url');
    case 'base64':
      if (!IMAGE_TYPES.test(source.media_type)) return refuse('send it as PNG, JPEG, GIF or WebP');
      return { type: 'input_image', image: `data:${source.media_type};base64,${source.data}` };
  }
}

function documentParts(block: Document, dialect: Dialect): InputPart[] {
  const { source } = block;
  const about = [block.title, block.context].filter((line) => line).join('\n');
  const header = about === '' ? [] : [words(`Document: ${about}`)];
  const refuse = (why: string) => [...header, words(note(`document${originOf(block)}`, why))];
  switch (source.type) {
    case 'text':
      return [...header, words(source.data || '(empty document)')];
    case 'base64': {
      if (isText(block)) return [...header, words(decodeText(source.data) || '(empty document)')];
      if (source.media_type !== 'application/pdf') return refuse('send it as PDF or as text');
      const file = `data:${source.media_type};base64,${source.data}`;
      return [...header, { type: 'input_file', file, filename: fileName(block.title) }];
    }
    case 'url': {
      if (dialect === 'chat')
        return refuse('Chat Completions takes no documents by address; send it as base64');
      const file: InputPart = { type: 'input_file', file: { url: source.url } };
      const mediaType = { providerData: { mediaType: 'application/pdf' } };
      return [...header, dialect === 'messages' ? { ...file, ...mediaType } : file];
    }
    case 'file':
      return refuse('send it as base64, text or a url');
  }
}

function words(text: string): Extract<InputPart, { type: 'input_text' }> {
  return { type: 'input_text', text };
}

function note(what: string, why: string): string {
  return `[${what} not shown to this model: ${why}]`;
}

/** Where the content comes from, as far as it is short: ` at https://…`, ` file_…`, ` of type image/tiff`. */
function originOf({ source }: Image | Document): string {
  switch (source.type) {
    case 'url':
      return ` at ${source.url.slice(0, 500)}`;
    case 'file':
      return ` ${source.file_id}`;
    default:
      return ` of type ${source.media_type.slice(0, 100)}`;
  }
}

const TEXT_TYPES = /^(?:text\/|application\/(?:json|xml|yaml|x-ndjson)$)/i;

function isText({ source }: Document): boolean {
  return source.type === 'text' || (source.type === 'base64' && TEXT_TYPES.test(source.media_type));
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
