// What a server answers that lacks a secret or a binding: health says what is missing, everything else is refused.
import { ApiError, ERRORS, retryHeaders, toEnvelope } from '@capstan/schema/error';
import type { Health } from '@capstan/schema/health';
import { newId } from '@capstan/shared/ids';
import type { Api } from './app.ts';
import { withHeaders } from './headers.ts';

export interface Lack {
  name: string;
  problem: string;
  fix: string;
}

export function unconfigured(lacks: readonly Lack[], version: string): Api {
  const backends: Health['backends'] = Object.fromEntries(
    lacks.map(({ name, problem, fix }) => [name, { status: 'failed', problem, fix }]),
  );
  const health: Health = { status: 'failed', version, backends };
  const message = lacks.map(({ problem, fix }) => `${problem}; mend it with: ${fix}`).join('. ');
  const refusal = new ApiError('unavailable', `This server is not configured: ${message}`);
  const { status } = ERRORS.unavailable;
  return {
    async fetch(request) {
      const requestId = newId('request');
      const { protocol, pathname } = new URL(request.url);
      const body = pathname === '/health' ? health : toEnvelope(refusal, requestId);
      const response = Response.json(body, { status, headers: retryHeaders(refusal) });
      return withHeaders(response, { requestId, secure: protocol === 'https:' });
    },
  };
}
