import { createClient } from '@capstan/client/client';
import { beforeEach, describe, expect, it } from 'vitest';
import { SessionStart } from './session-start.ts';

interface Asked {
  path: string;
  body: unknown;
}

let asked: Asked[];
let refusals: number;
let start: SessionStart;

beforeEach(() => {
  asked = [];
  refusals = 0;
  const answer = async (path: string, init: RequestInit) => {
    asked.push({ path, body: JSON.parse(String(init.body)) });
    if (path.endsWith('/events') && refusals-- > 0) return Response.json({}, { status: 503 });
    return Response.json({ id: `sesn_${asked.length}`, data: [] });
  };
  start = new SessionStart(createClient({ baseUrl: '', fetch: answer }));
});

const paths = () => asked.map(({ path }) => path);
const beginning = { agentId: 'agent_1', title: '', message: 'Run: uname -a\nand say why' };

describe('SessionStart', () => {
  it('makes a session, named by its first message, and sends that', async () => {
    expect((await start.begin(beginning)).id).toBe('sesn_1');
    expect(asked).toEqual([
      { path: '/v1/sessions', body: { agent: 'agent_1', title: 'Run: uname -a' } },
      {
        path: '/v1/sessions/sesn_1/events',
        body: {
          events: [{ type: 'user.message', content: [{ type: 'text', text: beginning.message }] }],
        },
      },
    ]);
  });

  it('sends nothing when there is nothing to say', async () => {
    await start.begin({ agentId: 'agent_1', title: '', message: '' });
    expect(asked).toEqual([{ path: '/v1/sessions', body: { agent: 'agent_1', title: null } }]);
  });

  it('goes on with the session it made when the message did not get through', async () => {
    refusals = 1;
    await expect(start.begin(beginning)).rejects.toMatchObject({ status: 503 });
    expect((await start.begin(beginning)).id).toBe('sesn_1');
    expect(paths()).toEqual(['/v1/sessions', '/v1/sessions/sesn_1/events', '/v1/sessions/sesn_1/events']);
  });

  it('makes another session for another agent', async () => {
    refusals = 1;
    await expect(start.begin(beginning)).rejects.toMatchObject({ status: 503 });
    await start.begin({ ...beginning, agentId: 'agent_2' });
    expect(paths().filter((path) => path === '/v1/sessions')).toHaveLength(2);
  });
});
