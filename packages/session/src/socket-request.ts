// How the public Worker asks a session for a socket: RPC cannot carry one, so it is a request between the Workers.
// Only they can make it; the caller has been admitted by then.
import { ApiError, ERRORS, type ErrorCode, isApiError } from '@capstan/schema/error';
import type { SessionAddress } from './address.ts';
import type { StreamQuery } from './service.ts';

export interface SocketRequest {
  address: SessionAddress;
  query: StreamQuery;
}

export function toSocketUrl(request: SocketRequest): string {
  return `http://sessions/socket?${new URLSearchParams({ request: JSON.stringify(request) })}`;
}

/** Refuses (`not_found`) any other address. */
export function parseSocketUrl(url: string): SocketRequest {
  const { pathname, searchParams } = new URL(url);
  const request = searchParams.get('request');
  if (pathname !== '/socket' || request === null)
    throw new ApiError('not_found', `Nothing is at ${pathname}`);
  return JSON.parse(request);
}

/** An ApiError as an answer; everything else is thrown on. */
export function toRefusal(error: unknown): Response {
  if (!isApiError(error)) throw error;
  const { code, message, retryAfterSeconds } = error;
  return Response.json({ code, message, retryAfterSeconds }, { status: ERRORS[code].status });
}

interface Refusal {
  code: ErrorCode;
  message: string;
  retryAfterSeconds?: number;
}

/** What an answer that brings no socket refuses with. */
export async function readRefusal(response: Response): Promise<ApiError> {
  const { code, message, retryAfterSeconds }: Refusal = JSON.parse(await response.text());
  return new ApiError(code, message, { retryAfterSeconds });
}
