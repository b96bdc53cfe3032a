// What the API reference says of contents that are not JSON: how they are uploaded, and as what they are downloaded.
import type { Download, RouteSpec } from '@capstan/schema/route';
import { BYTES_EXAMPLES, type ExamplePart, FORM_EXAMPLES, objectOf } from '@capstan/schema/upload-examples';
import type { RouteConfig } from '@hono/zod-openapi';
import { z } from 'zod';

type Body = NonNullable<NonNullable<RouteConfig['request']>['body']>;
type Responses = RouteConfig['responses'];

type Header = {
  description: string;
  schema: { type: 'string' | 'integer' };
  example: string | number;
};

const ETAG = '"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"';
const BYTES = z.string().meta({ format: 'binary' });

export function uploadBody({ operationId, path, form, raw }: RouteSpec): Body | undefined {
  if (raw) {
    const content = { schema: BYTES, example: BYTES_EXAMPLES[operationId] };
    return { required: true, description: 'The bytes, of any type.', content: { '*/*': content } };
  }
  if (form === undefined) return undefined;
  const parts = FORM_EXAMPLES[operationId] ?? [];
  const files = parts.filter(({ filename }) => filename !== undefined);
  const content = {
    schema: form,
    encoding: Object.fromEntries(files.map(({ name }) => [name, { contentType: '*/*' }])),
    examples: { form: { summary: curlOf(path, parts), value: objectOf(parts) } },
  };
  return { required: true, content: { 'multipart/form-data': content } };
}

/** The filename of a part is seen in a command, and nowhere in an object. */
function curlOf(path: string, parts: readonly ExamplePart[]): string {
  const url = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => `$${name.toUpperCase()}`);
  const fields = parts.map(({ name, filename, value }) =>
    filename === undefined ? `${name}=${value}` : `${name}=@${filename};filename=${filename}`,
  );
  const flags = fields.map((field) => `-F '${field}'`);
  return [`curl "$URL${url}"`, '-H "x-api-key: $KEY"', ...flags].join(' ');
}

/** Of a download that can be asked for in pieces. */
export const RANGE_HEADERS = z.object({
  range: z.string().optional().meta({ example: 'bytes=0-1048575' }),
  'if-range': z.string().optional().meta({ example: ETAG }),
  'if-match': z.string().optional().meta({ example: ETAG }),
  'if-none-match': z.string().optional().meta({ example: ETAG }),
});

export function downloadResponses({ type, filename, example, ranges }: Download): Responses {
  const content = { [type]: { schema: BYTES, ...(example !== undefined && { example }) } };
  const name = text(
    'A download, never a page.',
    `attachment; filename="${filename}"; filename*=UTF-8''${filename}`,
  );
  const headers = { 'content-disposition': name };
  if (!ranges) return { 200: { description: 'The content, as it is read', headers, content } };
  const size = example?.length ?? 4_096;
  const etag = text('Names this content: another has another.', ETAG);
  const whole = {
    ...headers,
    'content-length': number('How many bytes follow.', size),
    'accept-ranges': text('Pieces of it can be asked for.', 'bytes'),
    etag,
  };
  const range = text('Which bytes these are, and of how many.', `bytes 0-13/${size}`);
  return {
    200: { description: 'The content', headers: whole, content },
    206: {
      description: 'The piece of the content that `range` asks for',
      headers: { ...whole, 'content-length': number('How many bytes follow.', 14), 'content-range': range },
      content: { [type]: { schema: BYTES } },
    },
    304: { description: 'The content is the one that `if-none-match` names', headers: { etag } },
  };
}

function text(description: string, example: string): Header {
  return { description, schema: { type: 'string' }, example };
}

function number(description: string, example: number): Header {
  return { description, schema: { type: 'integer' }, example };
}
