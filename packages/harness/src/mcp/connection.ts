// A connection to one MCP server: begun with the first use, begun anew when it fails, with the list of the server's tools.
//  C1 The list is fetched once and kept for `FRESH_MS`, until the server says that it has changed, or the connection ends.
//  C2 A call is sent once. It is sent again only when the server has said that it did not take it (a forgotten connection).
import {
  Client,
  type JsonSchemaValidatorResult,
  type jsonSchemaValidator,
  StreamableHTTPClientTransport,
  type Tool,
} from '@modelcontextprotocol/client';
import { McpFailure, toMcpFailure } from './failure.ts';
import { createMcpFetch, type McpFetchDeps } from './mcp-fetch.ts';

export type McpTool = Pick<Tool, 'name' | 'description' | 'inputSchema' | 'annotations'>;
export type McpResult = Awaited<ReturnType<Client['callTool']>>;

export interface ConnectionDeps extends Omit<McpFetchDeps, 'answered'> {
  clock: { now(): number };
  limits?: Partial<Limits>;
}

export interface Limits {
  connectMs: number;
  listMs: number;
  callMs: number;
  freshMs: number;
}

const LIMITS: Limits = { connectMs: 10_000, listMs: 15_000, callMs: 300_000, freshMs: 300_000 };
const MAX_PAGES = 10;
/** What tools answer is for models to judge. */
const ANYTHING_GOES: jsonSchemaValidator = {
  getValidator<T>() {
    return (input): JsonSchemaValidatorResult<T> => ({
      valid: true,
      data: input as T,
      errorMessage: undefined,
    });
  },
};

export class McpConnection {
  #deps: ConnectionDeps;
  #limits: Limits;
  #client: Promise<Client> | null = null;
  #tools: { at: number; list: Promise<readonly McpTool[]> } | null = null;
  #status: number | null = null;

  constructor(deps: ConnectionDeps) {
    this.#deps = deps;
    this.#limits = { ...LIMITS, ...deps.limits };
  }

  /** Rejects with McpFailure. */
  async tools(): Promise<readonly McpTool[]> {
    const now = this.#deps.clock.now();
    const kept = this.#tools;
    if (kept !== null && now - kept.at < this.#limits.freshMs) return kept.list;
    const fresh = { at: now, list: this.#fetchTools() };
    this.#tools = fresh;
    fresh.list.catch(() => {
      if (this.#tools === fresh) this.#tools = null;
    });
    return fresh.list;
  }

  /** What is known of a tool without asking. */
  async known(name: string): Promise<McpTool | null> {
    const list = await this.#tools?.list.catch(() => []);
    return list?.find((tool) => tool.name === name) ?? null;
  }

  /** Rejects with McpFailure, or with the reason of `signal`. */
  async call(name: string, input: Record<string, unknown>, signal: AbortSignal): Promise<McpResult> {
    for (let again = true; ; again = false) {
      try {
        return await this.#once(async (client) => {
          const options = { signal, timeout: this.#limits.callMs };
          return await client.callTool({ name, arguments: input }, options);
        });
      } catch (error) {
        signal.throwIfAborted();
        if (!again || !(error instanceof McpFailure) || !error.forgotten) throw error;
      }
    }
  }

  /** The next use begins anew. Other calls that are under way go on: each is an exchange of its own. */
  #drop(client: Promise<Client>): void {
    if (this.#client !== client) return;
    this.#client = null;
    this.#tools = null;
  }

  async #fetchTools(): Promise<readonly McpTool[]> {
    for (let again = true; ; again = false) {
      try {
        return await this.#once(async (client) => {
          const options = { timeout: this.#limits.listMs, cacheMode: 'refresh' as const };
          return (await client.listTools(undefined, options)).tools;
        });
      } catch (error) {
        if (!again || !(error instanceof McpFailure) || !error.forgotten) throw error;
      }
    }
  }

  /** A failure of the connection ends it. */
  async #once<T>(work: (client: Client) => Promise<T>): Promise<T> {
    let connected = false;
    this.#client ??= this.#connect();
    const client = this.#client;
    try {
      const open = await client;
      connected = true;
      this.#status = null;
      return await work(open);
    } catch (error) {
      const failure = toMcpFailure(error, this.#status);
      if (!connected || failure.type !== null) this.#drop(client);
      throw connected ? failure : unsent(failure);
    }
  }

  async #connect(): Promise<Client> {
    this.#status = null;
    const { url } = this.#deps;
    const client = new Client(
      { name: 'capstan', version: '1' },
      {
        capabilities: {},
        versionNegotiation: { mode: 'auto', probe: { timeoutMs: this.#limits.connectMs } },
        jsonSchemaValidator: ANYTHING_GOES,
        listMaxPages: MAX_PAGES,
      },
    );
    client.setNotificationHandler('notifications/tools/list_changed', () => {
      this.#tools = null;
    });
    const answered = (status: number) => {
      this.#status = status;
    };
    const fetch = createMcpFetch({ ...this.#deps, answered });
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch }), {
      timeout: this.#limits.connectMs,
    });
    return client;
  }
}

/** Nothing is called before there is a connection. */
function unsent({ message, type, cause }: McpFailure): McpFailure {
  return new McpFailure(message, { type: type ?? 'mcp_connection_failed_error', sent: false }, cause);
}
