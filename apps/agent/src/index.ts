// The agent Worker: sessions, and the work queues of self-hosted environments, behind an RPC entrypoint. It has no public address.
export { AgentService } from './agent-service.ts';
export { SessionDO } from './session-do.ts';
export { WorkDO } from './work-do.ts';

export default {
  fetch(): Response {
    return new Response(null, { status: 404 });
  },
} satisfies ExportedHandler;
