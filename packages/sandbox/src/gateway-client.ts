// The Sandboxes port over HTTP to the gateway; runs in Workers and Node. Each call is one signed POST /v1/<operation>.
import { createSigner } from '@capstan/shared/hmac';
import { type Args, checkResult, type Operation, type Result } from './arguments.ts';
import { isSandboxError, isSandboxErrorCode, SandboxError } from './error.ts';
import { decodeFrame, encodeFrame } from './frame.ts';
import { MAX_WAIT_MS, type Sandboxes } from './port.ts';

/** Images are pulled, built and taken of whole file systems; a wait for a run is the longest of the rest. */
const IMAGE_MS = 10 * 60 * 1000;
const WITH_IMAGES: ReadonlySet<Operation> = new Set(['create', 'buildImage', 'snapshot']);
const CALL_MS = MAX_WAIT_MS + 30_000;

export interface GatewaySettings {
  /** Where the gateway listens, without a trailing slash: `http://127.0.0.1:8790`. */
  url: string;
  /** CAPSTAN_GATEWAY_SECRET of the gateway, at least 32 characters. */
  secret: string;
  /** How requests are sent, e.g. a container binding; default: the global fetch. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/** Throws RangeError when the secret is too short. */
export function createGatewaySandboxes(settings: GatewaySettings): Sandboxes {
  const call = createCaller(settings);
  return {
    create: (request) => call('create', request),
    findByName: (name) => call('findByName', { name }),
    status: (sandboxId) => call('status', { sandboxId }),
    exec: (request, signal) => call('exec', request, signal),
    startRun: (request, signal) => call('startRun', request, signal),
    readRun: (request, signal) => call('readRun', request, signal),
    killRun: (key) => call('killRun', key),
    resetShell: (key) => call('resetShell', key).then(() => {}),
    readFile: (request) => call('readFile', request),
    writeFile: (request) => call('writeFile', request).then(() => {}),
    listFiles: (key) => call('listFiles', key),
    stat: (key) => call('stat', key),
    buildImage: (recipe) => call('buildImage', recipe),
    snapshot: (request) => call('snapshot', request),
    deleteImage: (imageId) => call('deleteImage', { imageId }).then(() => {}),
    expose: (request) => call('expose', request),
    setNetwork: (request) => call('setNetwork', request).then(() => {}),
    setCredentials: (request) => call('setCredentials', request).then(() => {}),
    denials: (request) => call('denials', request),
    terminate: (sandboxId) => call('terminate', { sandboxId }).then(() => {}),
    list: () => call('list', {}),
    capabilities: () => call('capabilities', {}),
    health: () => call('health', {}),
  };
}

type Caller = <O extends Operation>(operation: O, args: Args<O>, signal?: AbortSignal) => Promise<Result<O>>;

function createCaller(settings: GatewaySettings): Caller {
  const signer = createSigner(settings.secret);
  const send = settings.fetch ?? ((url, init) => fetch(url, init));
  return async (operation, args, signal) => {
    const path = `/v1/${operation}`;
    const body = encodeFrame(args);
    const headers = await signer.sign({ method: 'POST', path, body });
    const limit = AbortSignal.timeout(WITH_IMAGES.has(operation) ? IMAGE_MS : CALL_MS);
    try {
      const init = {
        method: 'POST',
        headers,
        body,
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      };
      const response = await send(settings.url + path, init);
      const answer = new Uint8Array(await response.arrayBuffer());
      if (!response.ok) throw toError(response.status, answer);
      return checkResult(operation, decodeFrame(answer));
    } catch (error) {
      if (isSandboxError(error) || signal?.aborted) throw error;
      if (limit.aborted) throw new SandboxError('timeout', `The gateway did not answer ${operation} in time`);
      const reason = error instanceof Error ? error.message : String(error);
      const message = `The sandbox gateway does not answer (${operation}): ${reason}`;
      throw new SandboxError('unavailable', message, { cause: error });
    }
  };
}

/** Whatever is between us and the gateway may answer for it, in words of its own. */
function toError(status: number, answer: Uint8Array): SandboxError {
  const problem = parseProblem(answer);
  if (problem) return new SandboxError(problem.code, problem.message);
  return new SandboxError(
    status >= 500 ? 'unavailable' : 'internal',
    `The sandbox gateway answers HTTP ${status}`,
  );
}

function parseProblem(answer: Uint8Array) {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(answer));
    if (typeof parsed !== 'object' || parsed === null || !('error' in parsed)) return null;
    const { error } = parsed;
    if (typeof error !== 'object' || error === null || !('code' in error) || !('message' in error))
      return null;
    const { code, message } = error;
    return isSandboxErrorCode(code) && typeof message === 'string' ? { code, message } : null;
  } catch {
    return null;
  }
}
