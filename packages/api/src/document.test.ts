import { BODY_EXAMPLES } from '@capstan/schema/examples';
import { ROUTES } from '@capstan/schema/routes';
import { describe, expect, it } from 'vitest';
import { answerExample } from './answer-example.ts';
import { openApiDocument } from './document.ts';

const { paths = {} } = openApiDocument('1.2.3');

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
