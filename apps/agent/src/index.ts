// The agent Worker: sessions behind an RPC entrypoint. It has no public address.
export { AgentService } from './agent-service.ts';
export { SessionDO } from './session-do.ts';

export default {
  fetch(): Response {
    return new Response(null, { status: 404 });
  },
} satisfies ExportedHandler;
