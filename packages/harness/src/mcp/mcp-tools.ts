// The tools of an agent's MCP servers: what a model is offered of them, and their calls.
//  P1 A server that cannot be listed costs its own tools and nothing else: the log says so once a turn, and the next turn tries
//     again.
//  P2 A call is performed once. After a crash it is performed again only when its server says that this is harmless.
//  P3 Nothing is offered or called that the agent's toolsets do not enable.
import type { ThreadAgent } from '@capstan/schema/agents';
import { type McpServer, mcpSettings } from '@capstan/schema/mcp-servers';
import type { Happening } from '@capstan/schema/sandbox-news';
import type { EngineTool, ToolCall, ToolOutcome } from '@capstan/session/harness';
import type { Logger } from '@capstan/shared/logger';
import { nestsWithin } from '@capstan/shared/nesting';
import type { Reach } from '@capstan/shared/safe-fetch';
import { type LongResultDeps, withinLimit } from '../tools/long-result.ts';
import { failed } from '../tools/tool.ts';
import { type Limits, McpConnection, type McpTool } from './connection.ts';
import { toContent } from './content.ts';
import { McpFailure } from './failure.ts';
import type { Authorization } from './mcp-fetch.ts';
import { type McpToolRef, modelToolName } from './tool-names.ts';

export type McpTrouble = Omit<Extract<Happening, { kind: 'mcp_failed' }>, 'kind'>;

export interface McpDeps extends LongResultDeps {
  reach: Reach;
  authorization: Authorization;
  logger: Logger;
  clock: { now(): number };
  /** Whether the session's environment lets its MCP servers be reached there. */
  permits(url: URL): boolean;
  /** Told of a server that cannot be used. */
  report(trouble: McpTrouble): void;
  limits?: Partial<Limits>;
}

type McpCall = ToolCall & { server: string };

/** Of all servers together: providers refuse requests with more. */
export const MAX_OFFERED = 128;
/** Of the tools that are left out, in words for people. */
const MAX_NAMED = 10;
const MAX_SCHEMA_CHARS = 50_000;
const MAX_DESCRIPTION_CHARS = 8_000;
const MAX_NAME_CHARS = 255;

export class McpTools {
  #deps: McpDeps;
  #connections = new Map<string, McpConnection>();
  /** By what models call them. */
  #refs = new Map<string, McpToolRef>();
  /** By URL: the turn in which a server failed last. */
  #failed = new Map<string, string>();
  #reported = new Map<string, string>();
  /** By URL: those of whose tools some are left out, and the log knows. */
  #cut = new Set<string>();

  constructor(deps: McpDeps) {
    this.#deps = deps;
  }

  /** What a model that works as this agent is offered; servers that cannot be listed are left out, and reported. */
  async offer(agent: ThreadAgent, turnId: string): Promise<EngineTool[]> {
    const used = agent.mcp_servers.filter(({ name }) => isUsed(agent, name));
    const lists = await Promise.all(
      used.map(async (server) => this.#offered(agent, server, await this.#list(server, turnId))),
    );
    let room = MAX_OFFERED;
    return lists.flatMap((tools, index) => {
      const taken = tools.slice(0, room);
      room -= taken.length;
      const server = used[index];
      if (server !== undefined && taken.length < tools.length)
        this.#tellCut(server, tools.slice(taken.length));
      return taken;
    });
  }

  /** The tool that a model means; null: no server has one of that name. */
  meant(modelName: string): McpToolRef | null {
    return this.#refs.get(modelName) ?? null;
  }

  async perform(call: McpCall, signal: AbortSignal): Promise<ToolOutcome> {
    const server = serverOf(call);
    if (server === null) return failed(`This agent has no MCP server named ${call.server}.`);
    try {
      const result = await this.#permitted(server).call(call.name, call.input, signal);
      const content = toContent(result);
      const outcome = { content, isError: result.isError === true };
      return await withinLimit(outcome, call.effectId, this.#deps);
    } catch (error) {
      if (signal.aborted || !(error instanceof McpFailure)) throw error;
      if (error.type !== null) this.#report(server, error, this.#failed.get(server.url) ?? '');
      return failed(describe(server, error));
    }
  }

  /** Null: nobody can know what became of it. */
  async recover(call: McpCall, signal: AbortSignal): Promise<ToolOutcome | null> {
    const server = serverOf(call);
    if (server === null || !this.#deps.permits(new URL(server.url))) return null;
    const connection = this.#connection(server);
    await connection.tools().catch(() => undefined);
    const { readOnlyHint, idempotentHint } = (await connection.known(call.name))?.annotations ?? {};
    return readOnlyHint === true || idempotentHint === true ? this.perform(call, signal) : null;
  }

  async #list(server: McpServer, turnId: string): Promise<readonly McpTool[]> {
    if (this.#failed.get(server.url) === turnId) return [];
    try {
      const tools = await this.#permitted(server).tools();
      this.#failed.delete(server.url);
      return tools;
    } catch (error) {
      if (!(error instanceof McpFailure)) throw error;
      this.#failed.set(server.url, turnId);
      this.#report(server, error, turnId);
      return [];
    }
  }

  #offered(agent: ThreadAgent, { name: server }: McpServer, tools: readonly McpTool[]): EngineTool[] {
    const sorted = tools.toSorted((one, other) => (one.name < other.name ? -1 : 1));
    return sorted.flatMap((tool) => {
      const ref = { server, name: tool.name };
      const offered = mcpSettings(agent.tools, ref) === null ? null : toOffered(ref, tool);
      return offered !== null && this.#claims(offered.name, ref) ? [offered] : [];
    });
  }

  /** False: another tool has that name. */
  #claims(modelName: string, ref: McpToolRef): boolean {
    const holder = this.#refs.get(modelName);
    if (holder === undefined) this.#refs.set(modelName, ref);
    return holder === undefined || (holder.server === ref.server && holder.name === ref.name);
  }

  /** Throws McpFailure where the environment has no way to it. */
  #permitted(server: McpServer): McpConnection {
    const { host } = new URL(server.url);
    if (this.#deps.permits(new URL(server.url))) return this.#connection(server);
    const mend = `Set networking.allow_mcp_servers, or add ${host} to networking.allowed_hosts`;
    const message = `the environment does not let ${host} be reached. ${mend}`;
    throw new McpFailure(message, { type: 'mcp_connection_failed_error', sent: false }, null);
  }

  #connection({ url }: McpServer): McpConnection {
    const { reach, authorization, clock, limits = {} } = this.#deps;
    const known = this.#connections.get(url);
    if (known !== undefined) return known;
    const connection = new McpConnection({ url, reach, authorization, clock, limits });
    this.#connections.set(url, connection);
    return connection;
  }

  /** Once for as long as the session is in this process. */
  #tellCut({ name, url }: McpServer, left: readonly EngineTool[]): void {
    if (this.#cut.has(url)) return;
    this.#cut.add(url);
    const names = left.slice(0, MAX_NAMED).map((tool) => tool.name);
    const more = left.length > names.length ? `, and ${left.length - names.length} more` : '';
    const message =
      `The MCP server ${name} has more tools than can be offered: all servers together have ${MAX_OFFERED} places. ` +
      `Not offered: ${names.join(', ')}${more}. Switch off in the toolset what the agent does not need.`;
    this.#deps.report({ type: 'mcp_connection_failed_error', server: name, message });
  }

  #report({ name, url }: McpServer, failure: McpFailure, turnId: string): void {
    const { type, message } = failure;
    this.#deps.logger.warn('mcp.failed', { server: name, host: new URL(url).host, type });
    if (this.#reported.get(url) === turnId) return;
    this.#reported.set(url, turnId);
    const told = `The MCP server ${name} cannot be used: ${message}`;
    this.#deps.report({ type: type ?? 'mcp_connection_failed_error', server: name, message: told });
  }
}

function isUsed({ tools }: ThreadAgent, server: string): boolean {
  return tools.some((tool) => tool.type === 'mcp_toolset' && tool.mcp_server_name === server);
}

function serverOf({ agent, server }: McpCall): McpServer | null {
  return agent.mcp_servers.find(({ name }) => name === server) ?? null;
}

/** Null: nobody could be offered that. */
function toOffered(ref: McpToolRef, { description = '', inputSchema }: McpTool): EngineTool | null {
  if (ref.name === '' || ref.name.length > MAX_NAME_CHARS) return null;
  // Providers refuse these where the schema of a function begins.
  const { oneOf, anyOf, allOf, not, $schema, ...schema } = inputSchema;
  if (!nestsWithin(schema) || JSON.stringify(schema).length > MAX_SCHEMA_CHARS) return null;
  const described = description.slice(0, MAX_DESCRIPTION_CHARS) || `${ref.name} of ${ref.server}`;
  return { name: modelToolName(ref), description: described.toWellFormed(), schema };
}

function describe({ name }: McpServer, { type, message, sent }: McpFailure): string {
  if (type === null) return `The MCP server ${name} has not performed the call as asked: ${message}`;
  const effect = sent
    ? 'The call may or may not have taken effect: check before you make it again.'
    : 'The call was not made.';
  return `The MCP server ${name} cannot be used: ${message}. ${effect}`;
}
