// Files of a session's sandbox over HTTP. Only a write makes or restores a sandbox; all else wants one that runs.
import { ApiError } from '@capstan/schema/error';
import { sandboxFileRoutes } from '@capstan/schema/sandbox-files';
import type { SessionAddress } from '@capstan/session/address';
import { mimeTypeOf } from '@capstan/shared/mime';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { disposition } from './downloads.ts';
import { findSession } from './session-row.ts';

export function mountSandboxFiles(surface: Surface): void {
  const { db, sessions } = surface.ports;

  mount(surface, sandboxFileRoutes.list, async ({ principal: { tenantId }, params, query }) => {
    const address: SessionAddress = { tenantId, sessionId: params.session_id };
    await findSession(db, address);
    return sessions.listSandboxFiles(address, query.path);
  });

  mount(surface, sandboxFileRoutes.read, async ({ principal: { tenantId }, params, query }) => {
    const address: SessionAddress = { tenantId, sessionId: params.session_id };
    await findSession(db, address);
    const body = await sessions.readSandboxFile(address, query.path);
    return file(body, { name: query.path, type: mimeTypeOf(query.path) });
  });

  mount(surface, sandboxFileRoutes.write, async ({ principal: { tenantId }, params, query, request }) => {
    const address: SessionAddress = { tenantId, sessionId: params.session_id };
    await findSession(db, address);
    if (query.path.endsWith('/')) throw new ApiError('invalid_request', 'path: must name a file');
    const body = request.body ?? new Response('').body;
    if (body === null) throw new ApiError('invalid_request', 'body: required');
    return { path: query.path, size_bytes: await sessions.writeSandboxFile(address, query.path, body) };
  });

  mount(surface, sandboxFileRoutes.archive, async ({ principal: { tenantId }, params, query }) => {
    const address: SessionAddress = { tenantId, sessionId: params.session_id };
    await findSession(db, address);
    const body = await sessions.archiveSandboxFiles(address, query.path);
    const name = query.path.split('/').findLast((part) => part !== '') ?? 'files';
    return file(body, { name: `${name}.tar`, type: 'application/x-tar' });
  });
}

function file(body: ReadableStream<Uint8Array>, { name, type }: { name: string; type: string }): Response {
  const headers = { 'content-type': type, 'content-disposition': disposition(name) };
  return new Response(body, { headers });
}
