// Preview URLs over HTTP.
import { ApiError } from '@capstan/schema/error';
import { previewUrlRoutes } from '@capstan/schema/preview-urls';
import { mount } from '../mount.ts';
import { toPreviewHost } from '../preview/preview-origin.ts';
import { PreviewTokens, TOKEN_PARAMETER } from '../preview/preview-tokens.ts';
import type { Surface } from '../surface.ts';
import { findSession } from './session-row.ts';

export function mountPreviewUrls(surface: Surface): void {
  const { db, previewHost, secrets } = surface.ports;
  const tokens = new PreviewTokens(secrets.root);

  mount(surface, previewUrlRoutes.create, async ({ principal: { tenantId }, params, body, request, now }) => {
    const { id: sessionId } = await findSession(db, { tenantId, sessionId: params.session_id });
    if (previewHost === null) {
      throw new ApiError('unavailable', 'PREVIEW_HOST is not set: this server has no addresses for previews');
    }
    const { port } = body;
    const expiresAt = now + body.ttl_seconds * 1000;
    const token = await tokens.issue({ tenantId, sessionId, port, expiresAt });
    const origin = new URL(request.url);
    origin.hostname = toPreviewHost({ sessionId, port }, previewHost);
    return {
      type: 'preview_url' as const,
      session_id: sessionId,
      port,
      url: `${origin.origin}/?${TOKEN_PARAMETER}=${token}`,
      origin: origin.origin,
      token,
      expires_at: new Date(expiresAt).toISOString(),
    };
  });
}
