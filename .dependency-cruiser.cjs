// Who may import whom. Each line of the architecture's table of rooms is a rule here, and each breach an error.

const TESTS = '\\.(test|contract)\\.tsx?$|/testing(/|\\.ts$)';

/** What each package may import of the others; a missing package may import none. */
const ROOMS = {
  schema: [],
  shared: ['schema'],
  db: ['schema', 'shared'],
  sandbox: ['schema', 'shared'],
  session: ['schema', 'shared', 'sandbox'],
  harness: ['schema', 'shared', 'sandbox', 'session'],
  api: ['schema', 'shared', 'db', 'session'],
  integrations: ['schema', 'shared'],
  client: ['schema'],
  'modal-emulator': ['shared'],
  'dev-model': ['shared'],
};

/** What an app is limited to; the others may import any package. */
const APPS = {
  gateway: ['schema', 'shared', 'sandbox'],
  console: ['schema', 'client'],
};

/** Each vendor's one home. */
const VENDORS = {
  '@openai/|openai/|openai$|langsmith|@ai-sdk/': '^packages/harness/',
  // The emulator serves the protocol this client speaks, and reads its definitions from it.
  'modal/|modal$': '^packages/sandbox/src/modal|^packages/modal-emulator/',
  '@modelcontextprotocol/': '^packages/harness/src/mcp/',
  'drizzle-orm': '^packages/db/',
  'better-auth|@better-auth/': '^packages/api/src/auth/',
  'hono|@hono/': '^packages/api/',
};

const NODE_PROGRAMS =
  '^(apps/(gateway|node|console/(vite\\.config|docs-assets))|packages/(modal-emulator|dev-model)/|packages/sandbox/src/(modal|egress/)|scripts/|bench/|tests/)';
const WORKERS = '^apps/(main|agent|jobs|integrations)/';

const rooms = (folder, table) =>
  Object.entries(table).map(([name, allowed]) => ({
    name: `${folder}-${name}`,
    comment: `${folder}/${name} may import ${allowed.join(', ') || 'no other package'}`,
    severity: 'error',
    from: { path: `^${folder}/${name}/src/`, pathNot: TESTS },
    to: {
      path: '^packages/([^/]+)/',
      pathNot: `^packages/(${[...allowed, ...(folder === 'packages' ? [name] : [])].join('|') || '-'})/`,
    },
  }));

const vendors = Object.entries(VENDORS).map(([vendor, home]) => ({
  name: `vendor-${vendor.replaceAll(/[^a-z-]+/g, '-').replace(/^-|-$/g, '')}`,
  comment: `imported only below ${home}`,
  severity: 'error',
  from: { path: '^(apps|packages)/', pathNot: `${home}|${TESTS}` },
  to: { path: `node_modules/(${vendor})` },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...rooms('packages', ROOMS),
    ...rooms('apps', APPS),
    ...vendors,
    {
      name: 'no-app-is-imported',
      comment: 'apps meet at RPC interfaces, never at imports',
      severity: 'error',
      from: { path: '^(apps/[^/]+|packages|scripts|bench)/' },
      to: { path: '^apps/', pathNot: '^$1/' },
    },
    {
      name: 'session-knows-the-sandbox-port-only',
      severity: 'error',
      from: { path: '^packages/session/src/', pathNot: TESTS },
      to: { path: '^packages/sandbox/', pathNot: '^packages/sandbox/src/(port|error)\\.ts$' },
    },
    {
      name: 'schema-knows-zod-only',
      severity: 'error',
      from: { path: '^packages/schema/src/', pathNot: TESTS },
      to: { path: 'node_modules/', pathNot: 'node_modules/zod/' },
    },
    {
      name: 'cloudflare-in-workers-only',
      severity: 'error',
      from: { path: '^(apps|packages)/', pathNot: WORKERS },
      to: { path: '^cloudflare:' },
    },
    {
      name: 'node-in-node-programs-only',
      severity: 'error',
      from: { path: '^(apps|packages)/', pathNot: `${NODE_PROGRAMS}|${TESTS}` },
      to: { dependencyTypes: ['core'] },
    },
    { name: 'no-cycles', comment: 'type imports count', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'tests-stay-out-of-the-product',
      severity: 'error',
      from: { path: '^(apps|packages)/', pathNot: TESTS },
      to: { path: TESTS },
    },
    {
      name: 'every-import-resolves',
      severity: 'error',
      from: { path: '^(apps|packages|scripts|bench)/' },
      to: { couldNotResolve: true, pathNot: '^cloudflare:|\\.css$|\\?' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|\\.wrangler)/' },
    // Imports of types are imports.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'workerd', 'node', 'default'],
      extensions: ['.ts', '.tsx', '.d.ts', '.js', '.mjs', '.json'],
    },
  },
};
