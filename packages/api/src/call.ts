// One request on its way through the API: who asks, with what, and what the answer's head will be.
import type { Claim } from '@capstan/schema/idempotency';
import type { Download, RouteInput, RouteOutput, RouteSpec } from '@capstan/schema/route';
import type { Logger } from '@capstan/shared/logger';

export interface Principal {
  tenantId: string;
  /** Of a worker: the environment key it has, or that its work was given to. */
  apiKey: { id: string; name: string; lastFour: string };
  /** Absent: the caller is no worker. */
  worker?: Worker;
}

/** A worker of a self-hosted environment, on routes that take one. */
export interface Worker {
  environmentId: string;
  /** What its token is for; null: it shows the environment's key. */
  item: { workId: string; sessionId: string; offer: number } | null;
}

/** The answer's head; the body is what the handler returns. */
export interface Head {
  status: number;
  headers: Headers;
}

export interface Call<R extends RouteSpec> extends RouteInput<R> {
  /** Null only on routes that anyone may call. */
  principal: R['access'] extends 'key' ? Principal : null;
  request: Request;
  /** What names the request on routes that do a thing once; undefined where nothing does. */
  claim: Claim | undefined;
  head: Head;
  /** Epoch ms. */
  now: number;
  logger: Logger;
}

/**
 * What a handler answers with: the route's response, or on routes that stream the bytes
 * of its events or lines, or a socket that carries them; on routes of bytes the whole answer.
 */
export type Answer<R extends RouteSpec> = R extends { stream: true } | { lines: true }
  ? ReadableStream<Uint8Array> | Response | null
  : R extends { bytes: Download }
    ? Response
    : R extends { empty: true }
      ? RouteOutput<R> | null
      : RouteOutput<R>;

export type Handle<R extends RouteSpec> = (call: Call<R>) => Promise<Answer<R>> | Answer<R>;
