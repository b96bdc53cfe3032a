import { BODY_EXAMPLES } from '@capstan/schema/examples';
import { ROUTES } from '@capstan/schema/routes';
import { BYTES_EXAMPLES, FORM_EXAMPLES, objectOf } from '@capstan/schema/upload-examples';
import { describe, expect, it } from 'vitest';
import { answerExample } from './answer-example.ts';
import { openApiDocument } from './document.ts';

const { paths = {} } = openApiDocument('1.2.3');

type Content = Record<string, { example?: unknown; examples?: Record<string, { value?: unknown }> }>;

interface Operation {
  parameters?: { name: string }[];
  requestBody?: { content: Content };
  responses: Record<string, { content?: Content; headers?: Record<string, { example?: unknown }> }>;
}

/** As who reads the document has it. */
const operations: Record<string, Record<string, Operation>> = JSON.parse(JSON.stringify(paths));

/** The media types of which nothing is shown. */
function missing(content: Content = {}): string[] {
  return Object.entries(content).flatMap(([type, { example, examples = {} }]) =>
    example === undefined && Object.values(examples).every(({ value }) => value === undefined) ? [type] : [],
  );
}

describe('openApiDocument', () => {
  it('says that a failed health check is told like a good one, not as an error', () => {
    const { responses } = paths['/health']?.get ?? {};
    expect(responses?.[503].content).toEqual(responses?.[200].content);
    expect(responses?.[503].content['application/json'].schema.$ref).toMatch(/\/Health$/);
  });

  it('describes a stream as one, by the events it carries', () => {
    const { responses } = paths['/v1/sessions/{session_id}/events/stream']?.get ?? {};
    expect(Object.keys(responses?.[200].content)).toEqual(['text/event-stream']);
    expect(responses?.[404].content['application/json'].schema.$ref).toMatch(/\/Error$/);
  });

  it('lets nobody call a route without a key but those that anyone may', () => {
    const open = Object.entries(paths).flatMap(([path, item]) =>
      Object.values(item).some(({ security }) => security.length === 0) ? [path] : [],
    );
    expect(open.toSorted()).toEqual(['/api/login', '/api/logout', '/health']);
  });

  it('shows for every body one that its route takes', () => {
    const taking = ROUTES.filter(({ body }) => body !== undefined);
    for (const { operationId, body } of taking) {
      const read = body?.safeParse(BODY_EXAMPLES[operationId]);
      expect(read?.error?.issues, operationId).toBeUndefined();
    }
  });

  it('shows for every upload one that its route takes', () => {
    const uploads = ROUTES.filter(({ form, raw }) => form || raw);
    for (const { operationId, form } of uploads) {
      const parts = FORM_EXAMPLES[operationId] ?? [];
      if (form) expect(form.safeParse(objectOf(parts)).error?.issues, operationId).toBeUndefined();
      else expect(BYTES_EXAMPLES[operationId], operationId).toBeDefined();
    }
  });

  it('has an example wherever something is sent or answered, be it only of the name of a download', () => {
    const bare = Object.entries(operations).flatMap(([path, item]) =>
      Object.entries(item).flatMap(([method, { requestBody, responses }]) => {
        const answers = Object.entries(responses).filter(([status]) => status.startsWith('2'));
        return [
          ...missing(requestBody?.content).map((type) => `${method} ${path} takes ${type}`),
          ...answers.flatMap(([status, { content, headers }]) =>
            headers?.['content-disposition']?.example
              ? []
              : missing(content).map((type) => `${method} ${path} ${status} is ${type}`),
          ),
        ];
      }),
    );
    expect(bare).toEqual([]);
  });

  it('describes a download by its type, its name and how pieces of it are asked for', () => {
    const file = operations['/v1/files/{file_id}/content']?.get;
    const statuses = Object.keys(file?.responses ?? {});
    expect(statuses).toEqual(expect.arrayContaining(['200', '206', '304', '412', '416']));
    expect(Object.keys(file?.responses[206]?.headers ?? {})).toContain('content-range');
    expect(file?.parameters?.map(({ name }) => name)).toContain('range');
    const archive = operations['/v1/sessions/{session_id}/sandbox/files/archive']?.get?.responses ?? {};
    expect(Object.keys(archive[200]?.content ?? {})).toEqual(['application/x-tar']);
    expect(archive[200]?.headers?.['content-disposition']?.example).toMatch(/^attachment; /);
    expect(Object.keys(archive)).not.toContain('206');
  });

  it('has patterns as JSON Schema takes them, without the flags of a literal', () => {
    const patterns: string[] = [];
    JSON.stringify(openApiDocument('1.2.3'), (name, value) => {
      if (name === 'pattern' && typeof value === 'string') patterns.push(value);
      return value;
    });
    expect(patterns.length).toBeGreaterThan(10);
    expect(patterns.filter((pattern) => /\/[a-z]+$/.test(pattern))).toEqual([]);
  });

  it('says of every parameter what it means', () => {
    const silent = Object.entries(paths).flatMap(([path, item]) =>
      Object.values(item).flatMap(({ parameters = [] }) =>
        parameters.flatMap((each: { name: string; description?: string }) =>
          each.description ? [] : [`${path} ${each.name}`],
        ),
      ),
    );
    expect(silent).toEqual([]);
  });

  it('shows for every answer in JSON, lines of it or events one that its route gives', () => {
    for (const { operationId, response, bytes } of ROUTES) {
      if (bytes) continue;
      expect(response.safeParse(answerExample(response)).error?.issues, operationId).toBeUndefined();
    }
  });
});
