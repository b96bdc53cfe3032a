// A route is data: what it takes, what it gives, what it may refuse and who may call it.
// The handler's types, validation, OpenAPI, the client and the contract tests are all read off it.
import type { z } from 'zod';
import type { ErrorCode } from './error.ts';

/** What a caller shows: an API key (or the Console's cookie), an environment's key, or the token of one work item. */
export const CREDENTIALS = ['api_key', 'environment_key', 'sessions_token'] as const;
export type Credential = (typeof CREDENTIALS)[number];

/** An answer of bytes. `filename` and, where it is text, `example` are one as the API reference shows it. */
export interface Download {
  /** Its media type; any means that the content has its own. */
  type: string;
  /** Pieces of it can be asked for, and whether it is still the same. */
  ranges?: true;
  filename: string;
  example?: string;
}

export interface RouteSpec {
  method: 'get' | 'post' | 'delete';
  /** OpenAPI style: `/v1/sessions/{session_id}`. */
  path: `/${string}`;
  operationId: string;
  summary: string;
  tag: string;
  /** `key`: whoever shows one of `callers`. `public`: anyone. */
  access: 'key' | 'public';
  /** Which credentials it takes; absent: API keys alone. */
  callers?: readonly Credential[];
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** The request is `multipart/form-data` of these parts, which the handler reads as they arrive. */
  form?: z.ZodObject;
  /** The request's body is bytes of any type, which the handler reads as they arrive. */
  raw?: true;
  response: z.ZodType;
  /** What it makes is made once: a request with an `idempotency-key` may be repeated. */
  once?: true;
  /** What it asks for is done after the answer, whose status is 202. */
  accepted?: true;
  /** Where there is nothing to answer with, it answers 204. */
  empty?: true;
  /** The response is a server-sent event stream whose frames carry `response` as JSON. */
  stream?: true;
  /** The response is a stream of JSON lines, each of them `response`. */
  lines?: true;
  /** The response is bytes, to be kept under a name. */
  bytes?: Download;
  /** The code whose status `response` comes with when it tells of a failure itself. */
  failing?: ErrorCode;
  /** Codes beyond those every route of its access class may answer. */
  errors?: readonly ErrorCode[];
}

export function callersOf({ callers = ['api_key'] }: Pick<RouteSpec, 'callers'>): readonly Credential[] {
  return callers;
}

export function defineRoute<const R extends RouteSpec>(route: R): R {
  return route;
}

type Out<T> = T extends z.ZodType ? z.output<T> : undefined;
type In<T> = T extends z.ZodType ? z.input<T> : undefined;

/** What a handler receives: parsed and typed. */
export interface RouteInput<R extends RouteSpec> {
  params: Out<R['params']>;
  query: Out<R['query']>;
  body: Out<R['body']>;
}

/** What a handler returns and a client receives. */
export type RouteOutput<R extends RouteSpec> = z.output<R['response']>;

/** What a client sends. */
export interface RouteRequest<R extends RouteSpec> {
  params: In<R['params']>;
  query: In<R['query']>;
  body: In<R['body']>;
}
