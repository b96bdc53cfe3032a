// An MCP server on loopback that speaks streamable HTTP and does what a test says. Its tools and its moods can change at any time.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

type Json = Record<string, unknown>;

export interface ServedTool {
  name: string;
  description?: string;
  inputSchema?: Json;
  annotations?: Json;
  /** A JSON-RPC result of tools/call; a thrown error becomes a JSON-RPC error. */
  answer(input: Json): Json | Promise<Json>;
}

export interface McpServerState {
  tools: ServedTool[];
  /** What `Authorization` has to be; null: nothing. */
  token: string | null;
  /** How requests are answered. */
  answers: 'json' | 'sse';
  /** The next call's stream ends before its answer. */
  breaks: boolean;
  /** Every request gets this status instead. */
  status: number | null;
  /** The next call's stream says that the tools have changed. */
  announces: boolean;
  pageSize: number;
}

export interface McpServerRunning extends McpServerState {
  url: string;
  /** `method` of each message that was let in, and for calls the tool. */
  asked: string[];
  /** Each `Authorization` header that came. */
  tokens: (string | undefined)[];
  /** Connections it knows: forgetting them makes it answer 404. */
  sessions: Set<string>;
  stop(): Promise<void>;
}

export function text(words: string): Json {
  return { content: [{ type: 'text', text: words }] };
}

export async function startMcpServer(tools: ServedTool[]): Promise<McpServerRunning> {
  const running: McpServerRunning = {
    tools,
    token: null,
    answers: 'json',
    breaks: false,
    status: null,
    announces: false,
    pageSize: 2,
    url: '',
    asked: [],
    tokens: [],
    sessions: new Set(),
    stop: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
  };
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => void serve(running, { request, response, body }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new TypeError('The server has no port.');
  running.url = `http://127.0.0.1:${address.port}/mcp`;
  return running;
}

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  body: string;
}

async function serve(state: McpServerRunning, { request, response, body }: Exchange): Promise<void> {
  const { authorization } = request.headers;
  state.tokens.push(authorization);
  if (state.status !== null) return void response.writeHead(state.status).end();
  if (state.token !== null && authorization !== state.token) return void response.writeHead(401).end();
  if (request.method !== 'POST') return void response.writeHead(405).end();
  const message: Json = JSON.parse(body);
  const session = request.headers['mcp-session-id'];
  const begins = message.method === 'initialize' || message.method === 'server/discover';
  if (!begins && (typeof session !== 'string' || !state.sessions.has(session)))
    return void response.writeHead(404).end();
  const params = (message.params ?? {}) as Json;
  state.asked.push(message.method === 'tools/call' ? `call ${params.name}` : String(message.method));
  if (!('id' in message)) return void response.writeHead(202).end();
  reply(state, response, {
    id: message.id,
    method: message.method,
    ...(await answer(state, message, params)),
  });
}

async function answer(state: McpServerRunning, { method }: Json, params: Json): Promise<Json> {
  switch (method) {
    case 'initialize': {
      const capabilities = { tools: { listChanged: true } };
      return {
        result: { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'test', version: '1' } },
      };
    }
    case 'tools/list': {
      const from = Number(params.cursor ?? 0);
      const page = state.tools.slice(from, from + state.pageSize).map(({ answer: _, ...tool }) => ({
        inputSchema: { type: 'object' },
        ...tool,
      }));
      const next =
        from + state.pageSize < state.tools.length ? { nextCursor: String(from + state.pageSize) } : {};
      return { result: { tools: page, ...next } };
    }
    case 'tools/call': {
      const tool = state.tools.find(({ name }) => name === params.name);
      if (tool === undefined) return { error: { code: -32602, message: `Unknown tool: ${params.name}` } };
      try {
        return { result: await tool.answer((params.arguments ?? {}) as Json) };
      } catch (error) {
        return { error: { code: -32603, message: String(error) } };
      }
    }
    default:
      return { error: { code: -32601, message: 'Method not found' } };
  }
}

function reply(state: McpServerRunning, response: ServerResponse, { method, ...said }: Json): void {
  if (response.destroyed) return;
  const message = JSON.stringify({ jsonrpc: '2.0', ...said });
  if (method === 'initialize') {
    const id = `session-${crypto.randomUUID()}`;
    state.sessions.add(id);
    response.setHeader('mcp-session-id', id);
  }
  const called = method === 'tools/call';
  const streams = state.answers === 'sse' || (called && (state.breaks || state.announces));
  if (!streams) return void response.writeHead(200, { 'content-type': 'application/json' }).end(message);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  if (called && state.announces) {
    state.announces = false;
    const changed = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' };
    response.write(`data: ${JSON.stringify(changed)}\n\n`);
  }
  if (called && state.breaks) {
    state.breaks = false;
    return void response.end();
  }
  response.end(`data: ${message}\n\n`);
}
