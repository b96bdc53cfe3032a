// What workers of self-hosted environments show, and what they may touch: of the environment that is known, and of another.
import { WorkerKeys } from '@capstan/api/auth/worker-keys';
import type { Served } from '@capstan/api/route.contract';
import { ROOT_SECRET, type World } from './world.ts';

type Workers = Pick<
  Served,
  'environmentKey' | 'otherEnvironmentKey' | 'sessionsToken' | 'workerIds' | 'otherIds'
>;

/** A skill that no agent has. */
async function unusedSkill(world: World): Promise<string> {
  const form = new FormData();
  form.append('files[]', new File(['---\nname: unused\ndescription: x\n---\n'], 'unused/SKILL.md'));
  const headers = { 'x-api-key': world.key };
  const made = await world.fetch('/v1/skills', { method: 'POST', headers, body: form });
  const { id }: { id: string } = await made.json();
  return id;
}

export async function workersOf(world: World, known: Record<string, string>): Promise<Workers> {
  const post = async (path: string, body: object): Promise<Record<string, string>> => {
    const headers = { 'x-api-key': world.key };
    const response = await world.fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
    return response.json();
  };
  const { environment_id = '', agent_id: agent, work_id = '', skill_id = '', version = '' } = known;
  const config = { type: 'self_hosted' };
  const { id: other } = await post('/v1/environments', { name: 'Another', config });
  const own = await post(`/v1/environments/${environment_id}/keys`, {});
  const others = await post(`/v1/environments/${other}/keys`, {});
  const { id: skilled } = await post('/v1/agents', {
    name: 'Skilled',
    model: 'some-model',
    tools: [{ type: 'agent_toolset_20260401' }],
    skills: [{ type: 'custom', skill_id }],
  });
  const { memory_store_id = '', memory_id = '' } = known;
  const { id: read_only } = await post('/v1/memory_stores', { name: 'To be read' });
  const { id: session_id = '' } = await post('/v1/sessions', {
    agent: skilled,
    environment_id,
    resources: [
      { type: 'memory_store', memory_store_id },
      { type: 'memory_store', memory_store_id: read_only, access: 'read_only' },
    ],
  });
  const { id: elsewhere = '' } = await post('/v1/sessions', { agent, environment_id: other });
  const unused = await unusedSkill(world);
  const keys = new WorkerKeys({
    db: world.db,
    clock: Date,
    secrets: { root: ROOT_SECRET, bootstrapKeyHash: null },
  });
  const apiKey = { id: own.id ?? '', name: '', lastFour: '' };
  const item = { workId: work_id, sessionId: session_id, offer: 0 };
  return {
    environmentKey: own.key ?? '',
    otherEnvironmentKey: others.key ?? '',
    sessionsToken: await keys.tokenFor({ tenantId: 'tnt_default', apiKey }, environment_id, item),
    workerIds: { environment_id, session_id, work_id, skill_id, version, memory_store_id, memory_id },
    otherIds: { environment_id: other ?? '', session_id: elsewhere, work_id: 'work_2', skill_id: unused },
  };
}
