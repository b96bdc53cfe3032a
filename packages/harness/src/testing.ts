// What the harness's tests share: an agent, model calls collected whole, and a server that answers as it is told.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AgentSnapshot, Model } from '@capstan/schema/agents';
import type { Tool } from '@capstan/schema/tools';
import type { ContextItem, ModelCall, ModelOutput, ModelPart } from '@capstan/session/harness';
import { silentLogger } from '@capstan/shared/logger';
import { configFrom, type HarnessConfig } from './config.ts';
import { createModelCalls } from './models/model-calls.ts';

export const ALL_TOOLS: Tool = {
  type: 'agent_toolset_20260401',
  default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
  configs: [],
};

export function agentOf(model: Model, changes: Partial<AgentSnapshot> = {}): AgentSnapshot {
  return {
    id: 'agent_000000000000000000000000',
    type: 'agent',
    version: 1,
    name: 'Test',
    description: null,
    model,
    system: 'You are a test.',
    tools: [ALL_TOOLS],
    mcp_servers: [],
    skills: [],
    multiagent: null,
    execution_identity: { type: 'service_account' },
    ...changes,
  };
}

export type DialectName = 'responses' | 'chat' | 'messages';
export const DIALECTS: readonly DialectName[] = ['responses', 'chat', 'messages'];

/** A configuration whose only provider is the server at `url`, spoken to in one protocol. */
export function configFor(
  dialect: DialectName,
  url: string,
  more: Record<string, string> = {},
): HarnessConfig {
  const values: Record<string, string> =
    dialect === 'messages'
      ? { ANTHROPIC_API_KEY: 'sk-ant-secret-1234567890', ANTHROPIC_BASE_URL: url }
      : { OPENAI_API_KEY: 'sk-secret-1234567890', OPENAI_BASE_URL: `${url}/v1`, OPENAI_API: dialect };
  return configFrom({ ENVIRONMENT: 'development', ...values, ...more });
}

/** A call as a session makes it; what is not said is the least. */
export function callOf(said: Partial<ModelCall>): ModelCall {
  return {
    sessionId: 'sesn_000000000000000000000000',
    threadId: 'sthr_000000000000000000000000',
    turnId: 'sevt_000000000000000000000000',
    agent: agentOf({ id: 'any' }),
    context: [],
    tools: [],
    builtIn: true,
    maxOutputTokens: null,
    mediaFrom: 0,
    ...said,
  };
}

export interface Asked extends Partial<ModelCall> {
  config: HarnessConfig;
  signal?: AbortSignal;
}

export function say(text: string): ContextItem {
  return { type: 'user', content: [{ type: 'text', text }] };
}

export function ask({ config, signal, ...said }: Asked) {
  const calls = createModelCalls({ config, logger: silentLogger, clock: { now: () => Date.now() } });
  const call = callOf({ agent: agentOf({ id: modelFor(config) }), ...said });
  return calls.call(call, signal ?? new AbortController().signal);
}

export function modelFor(config: HarnessConfig): string {
  return config.anthropic === null ? 'gpt-5-test' : 'claude-test-1';
}

export interface Collected {
  parts: ModelPart[];
  end: Extract<ModelPart, { type: 'end' }>;
}

export async function collect(call: AsyncIterable<ModelPart>): Promise<Collected> {
  const parts: ModelPart[] = [];
  for await (const part of call) parts.push(part);
  const end = parts.at(-1);
  if (end?.type !== 'end') throw new TypeError('The call did not end with an end part.');
  return { parts, end };
}

/** Outputs as the log gives them back in the next context, with event ids of our own. */
export function logged(outputs: readonly ModelOutput[]): ContextItem[] {
  return outputs.map((output, index): ContextItem => {
    if (output.type !== 'tool_call') return output;
    const { name, server, input, opaque } = output;
    return { type: 'tool_call', callId: `sevt_${index}`, name, server, input: input ?? {}, opaque };
  });
}

export interface TestServer {
  url: string;
  /** Bodies received, oldest first. */
  bodies: Record<string, unknown>[];
  requests: IncomingMessage[];
  stop(): Promise<void>;
}

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** A server on a port the system chooses. */
export async function startServer(answer: Answer): Promise<TestServer> {
  const bodies: Record<string, unknown>[] = [];
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += String(chunk);
    });
    request.on('end', () => {
      requests.push(request);
      bodies.push(body === '' ? {} : JSON.parse(body));
      answer(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new TypeError('The server has no port.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    bodies,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The body a server is sent for a call; it refuses every call. */
export async function sentBy(
  dialect: DialectName,
  said: Partial<ModelCall>,
): Promise<Record<string, unknown>> {
  const server = await startServer((response) => response.writeHead(400).end('{}'));
  const call = ask({ config: configFor(dialect, server.url), ...said });
  await collect(call).catch(() => undefined);
  await server.stop();
  const [body] = server.bodies;
  if (body === undefined) throw new TypeError('Nothing was sent.');
  return body;
}

/** The conversation in a body. */
export function messagesOf(dialect: DialectName, body: Record<string, unknown>): readonly unknown[] {
  const found = dialect === 'responses' ? body.input : body.messages;
  return Array.isArray(found) ? found : [];
}

/** A server-sent event. */
export function frame(data: unknown, event?: string): string {
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;
}
