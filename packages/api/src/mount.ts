// Puts a route of the schema on the app: admits the caller, parses what was sent, calls the handler, sends its answer.
// The same route data describes it in the OpenAPI document.
import { ApiError } from '@capstan/schema/error';
import { callersOf, type RouteSpec } from '@capstan/schema/route';
import type { Context } from 'hono';
import type { z } from 'zod';
import { requireOwn } from './auth/worker-scope.ts';
import { parseJson, readBody } from './body.ts';
import type { Answer, Call, Handle, Head } from './call.ts';
import { readClaim } from './claim.ts';
import { describeIssues } from './issues.ts';
import { readQuery } from './query.ts';
import { limitOf } from './rate-limit.ts';
import type { AppEnv, Surface } from './surface.ts';

/** What is read of a caller nobody knows: a key or a code to sign in with, and nothing larger. */
const MAX_PUBLIC_BODY_BYTES = 16 * 1024;

export function mount<R extends RouteSpec>(surface: Surface, route: R, handle: Handle<R>): void {
  const path = route.path.replaceAll(/\{(\w+)\}/g, ':$1');
  surface.app.on(route.method.toUpperCase(), path, async (context) => {
    const {
      req: { raw: request },
    } = context;
    const head: Head = { status: route.accepted ? 202 : 200, headers: new Headers() };
    context.set('logger', context.get('logger').child({ operation: route.operationId }));
    const input = await readInput(surface, route, context);
    // Parsed by the route's own schemas, so the call is what the route's types say.
    const call = {
      ...input,
      request,
      head,
      now: surface.ports.clock.now(),
      logger: context.get('logger'),
    } as unknown as Call<R>;
    return reply(route, await handle(call), head);
  });
}

async function readInput({ ports, gate, limiter }: Surface, route: RouteSpec, context: Context<AppEnv>) {
  const request = context.req.raw;
  const principal = route.access === 'key' ? await gate.admit(request, callersOf(route)) : null;
  if (principal !== null) {
    const caller = { tenant_id: principal.tenantId, api_key_id: principal.apiKey.id };
    context.set('logger', context.get('logger').child(caller));
    context.set('tenantId', principal.tenantId);
    const kind = limitOf(route);
    if (kind !== null) limiter.admit(principal.apiKey.id, kind);
    await requireOwn(ports, principal, { named: context.req.param(), write: route.method !== 'get' });
  }
  const search = new URL(request.url).searchParams;
  const maxBytes = route.access === 'key' ? ports.maxBodyBytes : MAX_PUBLIC_BODY_BYTES;
  const text = route.body === undefined ? '' : await readBody(request, maxBytes);
  return {
    principal,
    // What a form says is known once it is read. Before the body is parsed: what a digest takes of the memory is free again then.
    claim:
      route.once && !route.form && principal !== null ? await readClaim(request, principal, text) : undefined,
    params: route.params && parse(route.params, context.req.param(), 'path'),
    query: route.query && parse(route.query, readQuery(route.query, search), 'query'),
    body: route.body && parse(route.body, parseJson(text), 'body'),
  };
}

function reply<R extends RouteSpec>(route: R, answer: Answer<R>, { status, headers }: Head): Response {
  if (answer instanceof Response) return answer;
  if (route.stream || route.lines) {
    headers.set('content-type', route.lines ? 'application/x-ndjson' : 'text/event-stream; charset=utf-8');
    headers.set('cache-control', 'no-cache');
    // Passed on untouched: when the client leaves, the runtime cancels the source at its next frame.
    return new Response(answer instanceof ReadableStream ? answer : null, { status, headers });
  }
  if (route.empty && answer === null) return new Response(null, { status: 204, headers });
  headers.set('content-type', 'application/json');
  return new Response(JSON.stringify(answer), { status, headers });
}

function parse(schema: z.ZodType, value: unknown, root: string): unknown {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw new ApiError('invalid_request', describeIssues(result.error, root));
}
