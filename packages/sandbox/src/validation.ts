// A Sandboxes port whose arguments are checked before they are used.
import { checkArgs } from './arguments.ts';
import type { Sandboxes } from './port.ts';

/** Every call rejects with `invalid` or `too_large`, naming the argument, before `inner` sees it. */
export function validated(inner: Sandboxes): Sandboxes {
  return {
    create: async (request) => inner.create(checkArgs('create', request)),
    findByName: async (name) => inner.findByName(checkArgs('findByName', { name }).name),
    status: async (sandboxId) => inner.status(checkArgs('status', { sandboxId }).sandboxId),
    exec: async (request, signal) => inner.exec(checkArgs('exec', request), signal),
    startRun: async (request, signal) => inner.startRun(checkArgs('startRun', request), signal),
    readRun: async (request, signal) => inner.readRun(checkArgs('readRun', request), signal),
    killRun: async (key) => inner.killRun(checkArgs('killRun', key)),
    resetShell: async (key) => inner.resetShell(checkArgs('resetShell', key)),
    readFile: async (request) => inner.readFile(checkArgs('readFile', request)),
    writeFile: async (request) => inner.writeFile(checkArgs('writeFile', request)),
    listFiles: async (key) => inner.listFiles(checkArgs('listFiles', key)),
    stat: async (key) => inner.stat(checkArgs('stat', key)),
    buildImage: async (recipe) => inner.buildImage(checkArgs('buildImage', recipe)),
    snapshot: async (request) => inner.snapshot(checkArgs('snapshot', request)),
    deleteImage: async (imageId) => inner.deleteImage(checkArgs('deleteImage', { imageId }).imageId),
    expose: async (request) => inner.expose(checkArgs('expose', request)),
    setNetwork: async (request) => inner.setNetwork(checkArgs('setNetwork', request)),
    setCredentials: async (request) => inner.setCredentials(checkArgs('setCredentials', request)),
    denials: async (request) => inner.denials(checkArgs('denials', request)),
    terminate: async (sandboxId) => inner.terminate(checkArgs('terminate', { sandboxId }).sandboxId),
    list: () => inner.list(),
    capabilities: () => inner.capabilities(),
    health: () => inner.health(),
  };
}
