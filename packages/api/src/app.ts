// The whole public surface as one fetch function over ports.
// Every answer has a request id and the security headers; every refusal is the one error envelope.
import { type ApiError, ERRORS, retryHeaders, toApiError, toEnvelope } from '@capstan/schema/error';
import type { SessionAddress } from '@capstan/session/address';
import { newId } from '@capstan/shared/ids';
import { type Context, Hono } from 'hono';
import { Gate } from './auth/gate.ts';
import { serveConsole } from './console.ts';
import { mountConsoleLogin } from './console-login.ts';
import { openApiDocument } from './document.ts';
import { withHeaders } from './headers.ts';
import { mountHealth } from './health.ts';
import { llmsText } from './llms-text.ts';
import { methodsAt, noRoute } from './paths.ts';
import type { ApiPorts } from './ports.ts';
import { PreviewSite } from './preview/preview-site.ts';
import { PreviewTokens } from './preview/preview-tokens.ts';
import { RateLimiter } from './rate-limit.ts';
import type { AppEnv, Surface } from './surface.ts';
import { mountAgents } from './v1/agents.ts';
import { mountCredentials } from './v1/credentials.ts';
import { mountDeploymentActions } from './v1/deployment-actions.ts';
import { mountDeploymentRuns } from './v1/deployment-runs.ts';
import { mountDeployments } from './v1/deployments.ts';
import { mountDreams } from './v1/dreams.ts';
import { mountEnvironmentKeys } from './v1/environment-keys.ts';
import { mountEnvironmentVersions } from './v1/environment-versions.ts';
import { mountEnvironments } from './v1/environments.ts';
import { mountEvents } from './v1/events.ts';
import { mountFiles } from './v1/files.ts';
import { mountMemories } from './v1/memories.ts';
import { mountMemoryStores } from './v1/memory-stores.ts';
import { mountMemoryVersions } from './v1/memory-versions.ts';
import { mountModelCards } from './v1/model-cards.ts';
import { mountModels } from './v1/models.ts';
import { mountNewSessions } from './v1/new-sessions.ts';
import { mountOrganizations } from './v1/organizations.ts';
import { mountPreviewUrls } from './v1/preview-urls.ts';
import { mountResources } from './v1/resources.ts';
import { mountSandboxFiles } from './v1/sandbox-files.ts';
import { mountSessions } from './v1/sessions.ts';
import { mountSkills } from './v1/skills.ts';
import { mountThreads } from './v1/threads.ts';
import { mountUsage } from './v1/usage.ts';
import { mountUserProfiles } from './v1/user-profiles.ts';
import { mountVaults } from './v1/vaults.ts';
import { mountWarmPools } from './v1/warm-pools.ts';
import { mountWebhooks } from './v1/webhooks.ts';
import { mountWork } from './v1/work.ts';

export interface Api {
  fetch(request: Request): Promise<Response>;
}

export function createApi(ports: ApiPorts): Api {
  const app = new Hono<AppEnv>();
  const limiter = new RateLimiter(ports.rateLimits, ports.clock);
  const surface: Surface = { app, ports, gate: new Gate(ports), limiter };
  frame(surface);
  mountAgents(surface);
  mountEnvironments(surface);
  mountWarmPools(surface);
  mountEnvironmentVersions(surface);
  mountEnvironmentKeys(surface);
  mountWork(surface);
  mountNewSessions(surface);
  mountSessions(surface);
  mountEvents(surface);
  mountThreads(surface);
  mountResources(surface);
  mountPreviewUrls(surface);
  mountSandboxFiles(surface);
  mountFiles(surface);
  mountVaults(surface);
  mountCredentials(surface);
  mountSkills(surface);
  mountDeployments(surface);
  mountDeploymentActions(surface);
  mountDeploymentRuns(surface);
  mountMemoryStores(surface);
  mountMemories(surface);
  mountMemoryVersions(surface);
  mountDreams(surface);
  mountModels(surface);
  mountModelCards(surface);
  mountUserProfiles(surface);
  mountUsage(surface);
  mountOrganizations(surface);
  mountWebhooks(surface);
  mountHealth(surface);
  mountConsoleLogin(surface);
  const { version } = ports;
  app.get(
    '/openapi.json',
    serveMade('application/json', () => JSON.stringify(openApiDocument(version))),
  );
  app.get('/llms.txt', serveMade('text/plain; charset=utf-8', llmsText));
  app.get('*', (context) => serveConsole(context.req.raw, ports.assets));
  const previews = openPreviews(ports);
  return {
    fetch: async (request) => (previews?.has(request) ? previews.fetch(request) : app.fetch(request)),
  };
}

/** Requests for previews never meet the platform's own routes, cookies and pages. */
function openPreviews({ previewHost: host, secrets, sessions, clock, logger }: ApiPorts): PreviewSite | null {
  if (host === null) return null;
  const tokens = new PreviewTokens(secrets.root);
  const expose = (address: SessionAddress, port: number) => sessions.expose(address, port);
  return new PreviewSite({ host, tokens, expose, clock, logger });
}

/** Made once, when it is first asked for: that takes far longer than sending it. */
function serveMade(type: string, make: () => string): (context: Context) => Response {
  let made: string | null = null;
  return (context) => {
    made ??= make();
    return context.body(made, 200, { 'content-type': type });
  };
}

/** What stands round every route: ids, log line, headers, errors, unknown paths. */
function frame({ app, ports }: Surface): void {
  app.use(async (context, next) => {
    const requestId = newId('request');
    const started = ports.clock.now();
    context.set('requestId', requestId);
    context.set('logger', ports.logger.child({ request_id: requestId }));
    await next();
    const secure = new URL(context.req.url).protocol === 'https:';
    // A socket is carried by its answer, and a copy of that has none.
    const tenantId = context.get('tenantId');
    if (context.res.status !== 101) context.res = withHeaders(context.res, { requestId, secure, tenantId });
    const { method } = context.req;
    const duration = ports.clock.now() - started;
    context.get('logger').info('http.request', { method, status: context.res.status, duration_ms: duration });
  });
  app.onError((thrown, context) => {
    const error = toApiError(thrown);
    if (error !== thrown || error.code === 'internal') context.get('logger').error('http.failed', {}, thrown);
    return refuse(error, context);
  });
  app.notFound((context) => refuse(noRoute(context.req.method, context.req.path), context));
}

function refuse(error: ApiError, context: Context<AppEnv>): Response {
  const headers = new Headers(retryHeaders(error));
  if (error.code === 'method_not_allowed') headers.set('allow', methodsAt(context.req.path).join(', '));
  const { status } = ERRORS[error.code];
  return Response.json(toEnvelope(error, context.get('requestId')), { status, headers });
}
