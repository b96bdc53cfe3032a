import { runRouteContract } from '@capstan/api/route.contract';
import { openWorld } from './testing/world.ts';

runRouteContract(async () => {
  const world = await openWorld();
  const headers = { 'x-api-key': world.key };
  const post = async (path: string, body: object): Promise<string> => {
    const response = await world.fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
    const { id }: { id: string } = await response.json();
    return id;
  };
  const agent_id = await post('/v1/agents', { name: 'Contract', model: 'some-model' });
  const environment_id = await post('/v1/environments', { name: 'Contract' });
  const session_id = await post('/v1/sessions', { agent: agent_id, environment_id });
  const threads = await world.fetch(`/v1/sessions/${session_id}/threads`, { headers });
  const { data }: { data: { id: string }[] } = await threads.json();
  const thread_id = data[0]?.id ?? 'none';
  const form = new FormData();
  form.append('file', new File(['content'], 'contract.txt'));
  form.append('downloadable', 'true');
  const uploaded = await world.fetch('/v1/files', { method: 'POST', headers, body: form });
  const { id: file_id }: { id: string } = await uploaded.json();
  const resource_id = await post(`/v1/sessions/${session_id}/resources`, { type: 'file', file_id });
  return { ...world, ids: { agent_id, environment_id, session_id, thread_id, file_id, resource_id } };
});
