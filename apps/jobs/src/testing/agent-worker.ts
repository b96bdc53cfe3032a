// Stands where the agent Worker is bound: no test of this Worker has sessions.
import { WorkerEntrypoint } from 'cloudflare:workers';

export class AgentService extends WorkerEntrypoint {}

export default { fetch: () => new Response(null, { status: 404 }) };
