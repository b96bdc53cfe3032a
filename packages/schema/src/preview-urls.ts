// Preview URLs: a port of a session's sandbox, reachable with a browser for a while, at an origin of its own.
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { timestamp } from './page.ts';
import { defineRoute } from './route.ts';

export const previewUrl = z
  .object({
    type: z.literal('preview_url'),
    session_id: idSchema('session'),
    port: z.int(),
    url: z.url().meta({
      description:
        'Opens the preview, and lets in whoever has it: its token is exchanged for a cookie of that origin.',
    }),
    origin: z
      .url()
      .meta({ description: 'Of programs, with the token in the header `x-capstan-preview-token`.' }),
    token: z.string(),
    expires_at: timestamp,
  })
  .meta({ id: 'PreviewUrl' });
export type PreviewUrl = z.infer<typeof previewUrl>;

export const createPreviewUrl = z
  .object({
    port: z
      .int()
      .min(1)
      .max(65_535)
      .meta({ description: 'Where the sandbox listens, with HTTP or WebSockets.' }),
    ttl_seconds: z.int().min(60).max(86_400).default(3_600),
  })
  .meta({ id: 'CreatePreviewUrl' });

export const previewUrlRoutes = {
  create: defineRoute({
    method: 'post',
    path: '/v1/sessions/{session_id}/preview_urls',
    operationId: 'createPreviewUrl',
    summary: "Make a URL that shows a port of the session's sandbox until it expires",
    tag: 'Sessions',
    access: 'key',
    params: z.object({ session_id: idSchema('session') }),
    body: createPreviewUrl,
    response: previewUrl,
    errors: ['not_found', 'unavailable'],
  }),
};
