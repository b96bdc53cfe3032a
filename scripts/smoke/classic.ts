// The smoke test people know: `curl` with `x-api-key`, agent, session, "say hi", stream.
import { assertTurnOrder } from './event-order.ts';
import { at, call, type Frame, framesUntil, type Target, textAt } from './plain-http.ts';
import { type Check, expect } from './report.ts';

const TURN_WITHIN_MS = 90_000;
const AGENT = {
  name: 'Smoke',
  model: 'claude-sonnet-4-6',
  system: 'You are brief.',
  tools: [{ type: 'bash' }],
};

export async function health(target: Target, check: Check): Promise<void> {
  await check('GET /health asks every backend and is ok', async () => {
    const { status, body } = await call(target, 'GET /health');
    expect(status === 200 && at(body, 'status') === 'ok', `${status} ${JSON.stringify(body)}`);
    expect(typeof at(body, 'version') === 'string', 'no version');
    expect(Object.keys(Object(at(body, 'backends'))).length > 0, 'no backends');
  });
}

export async function classic(target: Target, check: Check): Promise<void> {
  const agent = await check('an agent with tools [{"type":"bash"}] is created', async () => {
    const { status, headers, body } = await call(target, 'POST /v1/agents', AGENT);
    expect(status === 200, `${status} ${JSON.stringify(body)}`);
    expect(headers.get('request-id') !== null, 'no request-id header');
    return textAt(body, 'id');
  });
  for (const body of [{ agent_id: agent }, { agent }]) {
    const form = Object.keys(body).join('');
    const session = await check(`a session is created from {"${form}"} without an environment`, () =>
      create(target, body),
    );
    await check(`"say hi" is answered on the stream (${form})`, async () => {
      const frames = await turn(target, session, 'say hi');
      expect(
        frames.some(({ event }) => event === 'agent.message'),
        'no agent.message',
      );
    });
  }
}

export async function sandboxCommand(target: Target, check: Check): Promise<void> {
  const agent = textAt((await call(target, 'POST /v1/agents', AGENT)).body, 'id');
  const session = await create(target, { agent });
  const frames = await check('"Run: uname -a" runs in the sandbox', () =>
    turn(target, session, 'Run: uname -a'),
  );
  const types = frames.map(({ data }) => textAt(data, 'type'));
  await check('agent.tool_use → agent.tool_result → agent.message, in the promised order', async () => {
    assertTurnOrder(types);
    const order = ['agent.tool_use', 'agent.tool_result', 'agent.message'].map((type) =>
      types.lastIndexOf(type),
    );
    expect(
      order.every((place, index) => place > (order[index - 1] ?? -1)),
      types.join(', '),
    );
  });
  await check('the result is what uname says, and names its tool use', async () => {
    const [use, result] = ['agent.tool_use', 'agent.tool_result'].map(
      (type) => frames[types.indexOf(type)]?.data,
    );
    expect(JSON.stringify(result).includes('Linux'), JSON.stringify(result));
    expect(at(result, 'tool_use_id') === at(use, 'id'), 'tool_use_id is not the id of the use');
  });
  await check(
    'every frame carries its type and its sequence, and a replay after one continues there',
    async () => {
      expect(
        frames.every(({ event, id, data }) => event === at(data, 'type') && id !== undefined),
        'a bare frame',
      );
      const middle = frames[3]?.id ?? '';
      const replay = await untilIdle(target, session, middle);
      expect(replay[0]?.id === frames[4]?.id, `after ${middle} came ${replay[0]?.id}, not ${frames[4]?.id}`);
    },
  );
}

export async function refusals(target: Target, check: Check): Promise<void> {
  const refused = async (name: string, [status, type]: [number, string], answer: ReturnType<typeof call>) =>
    await check(`${name} → ${status} ${type}`, async () => {
      const { status: found, body } = await answer;
      expect(found === status && at(body, 'error', 'type') === type, `${found} ${JSON.stringify(body)}`);
    });
  const stranger = { ...target, apiKey: 'ck_dev_wrong' };
  await refused('a wrong key', [401, 'authentication_error'], call(stranger, 'GET /v1/agents'));
  await refused('an unknown path', [404, 'not_found_error'], call(target, 'GET /v1/nothing'));
  await refused(
    'malformed JSON',
    [400, 'invalid_request_error'],
    call(target, 'POST /v1/agents', '{"name":'),
  );
}

async function create(target: Target, body: unknown): Promise<string> {
  const answer = await call(target, 'POST /v1/sessions', body);
  expect(answer.status === 200, `${answer.status} ${JSON.stringify(answer.body)}`);
  return textAt(answer.body, 'id');
}

async function turn(target: Target, session: string, text: string): Promise<Frame[]> {
  const events = [{ type: 'user.message', content: [{ type: 'text', text }] }];
  const sent = await call(target, `POST /v1/sessions/${session}/events`, { events });
  expect(sent.status === 200, `send answered ${sent.status} ${JSON.stringify(sent.body)}`);
  return await untilIdle(target, session, '0');
}

function untilIdle(target: Target, session: string, after: string): Promise<Frame[]> {
  return framesUntil(target, `/v1/sessions/${session}/events/stream?after=${after}`, {
    last: ({ event }) => event === 'session.status_idle' || event === 'session.error',
    withinMs: TURN_WITHIN_MS,
  });
}
