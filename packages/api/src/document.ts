// The OpenAPI 3.1 document, made from the route list alone.
import { ERRORS, type ErrorCode, errorEnvelope } from '@capstan/schema/error';
import { BODY_EXAMPLES } from '@capstan/schema/examples';
import { IDEMPOTENCY_HEADER, idempotencyKey } from '@capstan/schema/idempotency';
import { parameterNote } from '@capstan/schema/parameter-notes';
import type { RouteSpec } from '@capstan/schema/route';
import { ROUTES } from '@capstan/schema/routes';
import { OpenAPIHono, type RouteConfig } from '@hono/zod-openapi';
import { z } from 'zod';
import { answerExample } from './answer-example.ts';
import { downloadResponses, RANGE_HEADERS, uploadBody } from './binary-content.ts';

type Responses = RouteConfig['responses'];
type Document = ReturnType<OpenAPIHono['getOpenAPI31Document']>;

const DESCRIPTION =
  'The Managed Agents API, self-hosted. Clients made for it, such as the official SDKs, work unchanged.';

export function openApiDocument(version: string): Document {
  const { openAPIRegistry: registry, getOpenAPI31Document } = new OpenAPIHono();
  registry.registerComponent('securitySchemes', 'apiKey', {
    type: 'apiKey',
    in: 'header',
    name: 'x-api-key',
  });
  registry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  for (const route of ROUTES) registry.registerPath(describe(route));
  const document = getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Capstan', version, description: DESCRIPTION, license: { name: 'Apache-2.0' } },
    servers: [{ url: '/' }],
  });
  explain(document);
  return withPlainPatterns(document);
}

/** Patterns of JSON Schema are Unicode ones without saying so; the generator leaves the flag behind them. */
function withPlainPatterns<T>(document: T): T {
  return JSON.parse(JSON.stringify(document), (name, value) =>
    name === 'pattern' && typeof value === 'string' ? value.replace(/\/u$/, '') : value,
  );
}

/** Says of each parameter what it means; one whose schema says so itself keeps that. */
function explain({ paths = {} }: Document): void {
  const operations = Object.values(paths).flatMap(({ get, post, put, delete: remove }) => [
    get,
    post,
    put,
    remove,
  ]);
  for (const parameter of operations.flatMap((operation) => operation?.parameters ?? [])) {
    if (!('in' in parameter)) continue;
    const { in: place, name } = parameter;
    if (place === 'cookie') continue;
    parameter.description ??= parameterNote(place, name);
  }
}

function describe(route: RouteSpec): RouteConfig {
  const { method, path, operationId, summary, tag, params, query, body, access, once, bytes } = route;
  const upload = uploadBody(route);
  return {
    method,
    path,
    operationId,
    summary,
    tags: [tag],
    security: access === 'key' ? [{ apiKey: [] }, { bearer: [] }] : [],
    request: {
      ...(params && { params }),
      ...(query && { query }),
      ...(once && { headers: z.object({ [IDEMPOTENCY_HEADER]: idempotencyKey.optional() }) }),
      ...(bytes?.ranges && { headers: RANGE_HEADERS }),
      ...(body && {
        body: {
          required: true,
          content: { 'application/json': { schema: body, example: BODY_EXAMPLES[operationId] } },
        },
      }),
      ...(upload && { body: upload }),
    },
    responses: { ...success(route), ...refusals(route) },
  };
}

const FORMS = {
  stream: ['text/event-stream', 'Server-sent events; each `data` is this object as JSON'],
  lines: ['application/x-ndjson', 'JSON lines; each is one of these objects'],
  json: ['application/json', 'OK'],
} as const;

function success({ stream, lines, bytes, accepted, empty, response, failing }: RouteSpec): Responses {
  if (bytes) return downloadResponses(bytes);
  const [type, description] = FORMS[stream ? 'stream' : lines ? 'lines' : 'json'];
  const example = answerExample(response);
  const content = { [type]: { schema: response, ...(example !== undefined && { example }) } };
  return {
    [accepted ? 202 : 200]: { description, content },
    ...(empty && { 204: { description: 'There is nothing to answer with' } }),
    ...(failing && { [ERRORS[failing].status]: { description: ERRORS[failing].type, content } }),
  };
}

function refusals({ access, params, query, body, once, errors = [] }: RouteSpec): Responses {
  const codes: ErrorCode[] = [
    ...(params || query || body ? (['invalid_request'] as const) : []),
    ...(access === 'key' ? (['unauthenticated'] as const) : []),
    ...(once ? (['idempotency_mismatch'] as const) : []),
    ...errors,
  ];
  const content = { 'application/json': { schema: errorEnvelope } };
  const byStatus = Map.groupBy(new Set(codes), (code) => ERRORS[code].status);
  const entries = [...byStatus].map(([status, some]) => {
    const types = new Set(some.map((code) => ERRORS[code].type));
    return [status, { description: [...types].join(' or '), content }];
  });
  return Object.fromEntries(entries);
}
