// One of every resource of the default tenant: what routes are tried with, by the names of path parameters and by the prefixes of ids.
import type { KnownIds } from '@capstan/api/testing/bodies';
import { FORM_EXAMPLES, formOf } from '@capstan/schema/upload-examples';
import { NOWHERE, type World } from './world.ts';

/** Throws with the answer when one cannot be made. */
export async function knownIds(world: World): Promise<KnownIds> {
  const headers = { 'x-api-key': world.key };
  const idOf = async (response: Response): Promise<string> => {
    const body: { id?: string } = await response.json();
    if (body.id === undefined) throw new Error(`nothing was made: ${JSON.stringify(body)}`);
    return body.id;
  };
  const post = async (path: string, body: object) =>
    idOf(await world.fetch(path, { method: 'POST', headers, body: JSON.stringify(body) }));

  const agent_id = await post('/v1/agents', { name: 'Contract', model: 'some-model' });
  const cloud = await post('/v1/environments', { name: 'Contract' });
  const session_id = await post('/v1/sessions', { agent: agent_id, environment_id: cloud });
  const config = { type: 'self_hosted' };
  const environment_id = await post('/v1/environments', { name: 'Contract', config });
  const key_id = await post(`/v1/environments/${environment_id}/keys`, {});
  const threads = await world.fetch(`/v1/sessions/${session_id}/threads`, { headers });
  const { data }: { data: { id: string }[] } = await threads.json();
  const form = new FormData();
  form.append('file', new File(['content'], 'contract.txt'));
  form.append('downloadable', 'true');
  const file_id = await idOf(await world.fetch('/v1/files', { method: 'POST', headers, body: form }));
  const resource_id = await post(`/v1/sessions/${session_id}/resources`, { type: 'file', file_id });
  const vault_id = await post('/v1/vaults', { display_name: 'Contract' });
  const auth = { type: 'static_bearer', mcp_server_url: 'https://mcp.example.com', token: 'token' };
  const credential_id = await post(`/v1/vaults/${vault_id}/credentials`, { auth });
  const deployment_id = await post('/v1/deployments', {
    name: 'Contract',
    agent: agent_id,
    environment_id,
    initial_events: [{ type: 'user.message', content: [{ type: 'text', text: 'hi' }] }],
  });
  const deployment_run_id = await post(`/v1/deployments/${deployment_id}/run`, {});
  const made = {
    agent_id,
    environment_id,
    session_id,
    thread_id: data[0]?.id ?? 'none',
    file_id,
    resource_id,
    vault_id,
    credential_id,
    key_id,
    work_id: 'work_1',
    deployment_id,
    deployment_run_id,
    user_profile_id: await post('/v1/user_profiles', { name: 'Contract' }),
    ...(await taught(world, headers)),
    ...(await remembered(world, headers)),
    ...(await dreamt(post, session_id)),
    ...(await carded(post)),
    ...(await hooked(post)),
  };
  const byPrefix = Object.values(made).map((id) => [id.replace(/_.*/, ''), [id]] as const);
  return {
    ...Object.fromEntries(Object.entries(made).map(([name, id]) => [name, [id]])),
    ...Object.fromEntries(byPrefix),
    env: [cloud, environment_id],
  };
}

async function taught(world: World, headers: Record<string, string>) {
  const skill = formOf(FORM_EXAMPLES.createSkill ?? []);
  const created = await world.fetch('/v1/skills', { method: 'POST', headers, body: skill });
  const { id: skill_id = '', latest_version_id: version = '' }: { id?: string; latest_version_id?: string } =
    await created.json();
  return { skill_id, version };
}

async function remembered(world: World, headers: Record<string, string>) {
  const post = async <T>(path: string, body: object): Promise<T> =>
    (await world.fetch(path, { method: 'POST', headers, body: JSON.stringify(body) })).json();
  const { id } = await post<{ id: string }>('/v1/memory_stores', { name: 'Contract' });
  const memory = await post<{ id: string; memory_version_id: string }>(`/v1/memory_stores/${id}/memories`, {
    path: '/contract',
    content: 'text',
  });
  return { memory_store_id: id, memory_id: memory.id, memory_version_id: memory.memory_version_id };
}

async function dreamt(post: (path: string, body: object) => Promise<string>, session_id: string) {
  const memory_store_id = await post('/v1/memory_stores', { name: 'Dreamt' });
  const inputs = [
    { type: 'memory_store', memory_store_id },
    { type: 'sessions', session_ids: [session_id] },
  ];
  return { dream_id: await post('/v1/dreams', { inputs, model: 'contract-model' }) };
}

async function carded(post: (path: string, body: object) => Promise<string>) {
  const model_id = 'contract-model';
  const card = { model_id, protocol: 'anthropic_messages', base_url: 'https://api.example.com', test: false };
  return { model_id, model_card_id: await post('/v1/model_cards', card) };
}

async function hooked(post: (path: string, body: object) => Promise<string>) {
  const hook = { url: NOWHERE, enabled_events: ['*'] };
  const webhook_endpoint_id = await post('/v1/organizations/webhooks', hook);
  const delivery_id = await post(`/v1/organizations/webhooks/${webhook_endpoint_id}/ping`, {});
  return { webhook_endpoint_id, delivery_id };
}
