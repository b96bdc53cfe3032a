// A body for every route that takes one, as the API reference shows it. Each is valid: the route's own schema takes it.
const say = (text: string) => [{ type: 'user.message', content: [{ type: 'text', text }] }];
const id = (prefix: string) => `${prefix}_01k7p4z8m3q6r9t2v5x8a1c4`;

/** By `operationId`. */
export const BODY_EXAMPLES: Readonly<Record<string, Record<string, unknown>>> = {
  createAgent: {
    name: 'Release notes',
    model: 'claude-sonnet-5-5',
    system: 'You write release notes. Be brief.',
    tools: [
      {
        type: 'agent_toolset_20260401',
        configs: [{ name: 'bash', permission_policy: { type: 'always_ask' } }],
      },
    ],
    metadata: { team: 'docs' },
  },
  updateAgent: { version: 1, system: 'You write release notes. One line per change.' },
  createEnvironment: {
    name: 'Data',
    config: {
      type: 'cloud',
      networking: { type: 'limited', allowed_hosts: ['api.example.com'], allow_package_managers: true },
      packages: { pip: ['pandas==2.2.0'], apt: ['ffmpeg'] },
    },
  },
  updateEnvironment: {
    config: { type: 'cloud', packages: { npm: ['typescript@5.9.2'] } },
    capstan: { warm_sandboxes: 2 },
  },
  createEnvironmentKey: { name: 'Worker in the office' },
  updateWork: { metadata: { host: 'build-7' } },
  stopWork: { force: true },
  createSession: {
    agent: id('agent'),
    environment_id: id('env'),
    title: 'Notes of release 1.4',
    initial_events: say('Write the notes of release 1.4.'),
    budget: { type: 'limit', max_list_cost: { amount: '200', currency: 'USD' } },
  },
  updateSession: { title: 'Notes of release 1.5', metadata: { release: '1.5' } },
  forkSession: { at: id('sevt'), title: 'Another try' },
  sendEvents: { events: say('Run: uname -a') },
  addSessionResource: { type: 'file', file_id: id('file'), mount_path: '/mnt/session/uploads/data.csv' },
  updateSessionResource: { authorization_token: 'ghp_token' },
  createPreviewUrl: { port: 3000, ttl_seconds: 3600 },
  createVault: { display_name: 'Production', metadata: { team: 'platform' } },
  updateVault: { display_name: 'Production, Europe' },
  createVaultCredential: {
    display_name: 'Billing API',
    auth: {
      type: 'environment_variable',
      secret_name: 'BILLING_API_KEY',
      secret_value: 'secret',
      networking: { type: 'limited', allowed_hosts: ['billing.example.com'] },
    },
  },
  updateVaultCredential: { auth: { type: 'environment_variable', secret_value: 'a newer secret' } },
  createDeployment: {
    name: 'Morning report',
    agent: id('agent'),
    environment_id: id('env'),
    initial_events: say('Report what happened since yesterday.'),
    schedule: { type: 'cron', expression: '0 9 * * 1-5', timezone: 'Europe/Vienna' },
  },
  updateDeployment: { schedule: { type: 'cron', expression: '30 8 * * *', timezone: 'Europe/Vienna' } },
  createMemoryStore: { name: 'Customers', description: 'What is known of customers' },
  updateMemoryStore: { description: 'What is known of customers, by name' },
  createMemory: { path: '/ada/preferences.md', content: 'Prefers mail to calls.' },
  updateMemory: {
    content: 'Prefers mail to calls, in the morning.',
    precondition: {
      type: 'content_sha256',
      content_sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    },
  },
  createModelCard: {
    model_id: 'our-llama',
    protocol: 'openai_chat_completions',
    base_url: 'https://models.example.com/v1',
    api_key: 'secret-key-of-the-provider',
    context_window: 131_072,
    price: { input: 0.2, output: 0.6 },
  },
  updateModelCard: { price: { input: 0.1, output: 0.4 } },
  createUserProfile: { metadata: { plan: 'pro' } },
  updateUserProfile: { metadata: { plan: 'team' } },
  createWebhookEndpoint: { url: 'https://example.com/webhooks', enabled_events: ['session.status_idled'] },
  updateWebhookEndpoint: { enabled_events: ['session.status_idled', 'session.status_terminated'] },
  regenerateWebhookSigningSecret: { overlap_seconds: 3600 },
  replayWebhookEvents: { created_at: { gte: '2026-11-21T00:00:00Z' } },
  createDream: {
    inputs: [
      { type: 'memory_store', memory_store_id: id('memstore') },
      { type: 'sessions', session_ids: [id('sesn')] },
    ],
    model: 'claude-sonnet-5-5',
  },
  login: { api_key: 'the key that `pnpm dev` printed' },
};
