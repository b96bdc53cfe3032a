// The agent Worker: sessions, the work queues of self-hosted environments and the warm pools of others, behind an RPC
// entrypoint. It has no public address.
export { AgentService } from './agent-service.ts';
export { SessionDO } from './session-do.ts';
export { WarmPoolDO } from './warm-pool-do.ts';
export { WorkDO } from './work-do.ts';

export default {
  fetch(): Response {
    return new Response(null, { status: 404 });
  },
} satisfies ExportedHandler;
