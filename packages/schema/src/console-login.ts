// Console sign-in: an API key or a one-time code becomes an HttpOnly cookie. Not part of the Managed Agents API.
import { z } from 'zod';
import { isolation } from './isolation.ts';
import { timestamp } from './page.ts';
import { defineRoute } from './route.ts';

const tag = 'Console';

export const principal = z.object({
  tenant_id: z.string(),
  api_key: z.object({ id: z.string(), name: z.string(), last_four: z.string() }),
});

/** Which model answers, for people to see: the platform never hides that a stand-in is in use. */
export const modelNotice = z.object({
  provider: z.enum(['dev', 'configured', 'none']),
  message: z.string(),
});
export type ModelNotice = z.infer<typeof modelNotice>;

export const consoleRoutes = {
  createLoginLink: defineRoute({
    method: 'post',
    path: '/api/login_links',
    operationId: 'createLoginLink',
    summary: 'Make a one-time sign-in code, good for ten minutes',
    tag,
    access: 'key',
    response: z.object({ code: z.string(), expires_at: timestamp }),
  }),
  login: defineRoute({
    method: 'post',
    path: '/api/login',
    operationId: 'login',
    summary: 'Exchange an API key or a one-time code for a Console cookie',
    tag,
    access: 'public',
    body: z.union([
      z.object({ api_key: z.string().min(1).max(512) }),
      z.object({ code: z.string().min(1).max(512) }),
    ]),
    response: principal,
    errors: ['unauthenticated', 'too_large'],
  }),
  logout: defineRoute({
    method: 'post',
    path: '/api/logout',
    operationId: 'logout',
    summary: 'Clear the Console cookie',
    tag,
    access: 'public',
    response: z.object({ ok: z.literal(true) }),
  }),
  me: defineRoute({
    method: 'get',
    path: '/api/me',
    operationId: 'whoAmI',
    summary: 'Who is signed in, which model answers, and how sandboxes are isolated',
    tag,
    access: 'key',
    response: principal.extend({
      model: modelNotice,
      /** Null: no sandboxes can be reached now. */
      sandbox_isolation: isolation.nullable(),
      version: z.string(),
    }),
  }),
};
