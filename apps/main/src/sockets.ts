// Sockets of sessions, passed on from the agent Worker to the client as they are.
import { ApiError } from '@capstan/schema/error';
import type { SessionAddress } from '@capstan/session/address';
import type { StreamQuery } from '@capstan/session/service';
import { readRefusal, toSocketUrl } from '@capstan/session/socket-request';

type Agent = Pick<Fetcher, 'fetch'>;

export function socketsOf(agent: Agent) {
  return async (address: SessionAddress, query: StreamQuery): Promise<Response> => {
    const url = toSocketUrl({ address, query });
    const response = await agent.fetch(url, { headers: { upgrade: 'websocket' } });
    if (response.status === 101) return response;
    if (response.headers.get('content-type') === 'application/json') throw await readRefusal(response);
    throw new ApiError('internal', `The agent Worker answered a socket with ${response.status}`);
  };
}
