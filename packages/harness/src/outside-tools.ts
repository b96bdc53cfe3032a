// The tools that work outside the sandbox: those of MCP servers, and the web's. Models are offered them beside the sandbox's.
import type { ModelCall, ModelPart, ToolCall, ToolOutcome } from '@capstan/session/harness';
import type { McpTools } from './mcp/mcp-tools.ts';
import { isWebTool, offeredWebTools, performWebTool, type WebDeps } from './web/web-tools.ts';

export interface OutsideDeps {
  mcp: McpTools;
  web: WebDeps;
}

interface Worker {
  perform(call: ToolCall, signal: AbortSignal): Promise<ToolOutcome>;
  recover(call: ToolCall, signal: AbortSignal): Promise<ToolOutcome | null>;
}

export class OutsideTools {
  #mcp: McpTools;
  #web: WebDeps;

  constructor({ mcp, web }: OutsideDeps) {
    this.#mcp = mcp;
    this.#web = web;
  }

  /** The call with what is offered besides. Rejects with the reason of `signal`. */
  async offer(call: ModelCall, signal: AbortSignal): Promise<ModelCall> {
    if (!call.builtIn) return call;
    const web = offeredWebTools(call.agent, this.#web);
    const servers = await unlessAborted(this.#mcp.offer(call.agent, call.turnId), signal);
    return { ...call, tools: [...call.tools, ...web, ...servers] };
  }

  /** Calls of a server's tools, by the names that the server and its agent know. */
  meant(part: ModelPart): ModelPart {
    if (part.type !== 'end') return part;
    const outputs = part.outputs.map((output) => {
      const ref = output.type === 'tool_call' ? this.#mcp.meant(output.name) : null;
      return ref === null ? output : { ...output, ...ref };
    });
    return { ...part, outputs };
  }

  /** Who performs a call; null: the sandbox's tools. */
  workerOf({ name, server }: Pick<ToolCall, 'name' | 'server'>): Worker | null {
    if (server !== undefined) {
      return {
        perform: (call, signal) => this.#mcp.perform({ ...call, server }, signal),
        recover: (call, signal) => this.#mcp.recover({ ...call, server }, signal),
      };
    }
    if (!isWebTool(name)) return null;
    const perform: Worker['perform'] = (call, signal) => performWebTool(call, this.#web, signal);
    return { perform, recover: perform };
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
