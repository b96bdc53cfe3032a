// Two connections joined into one: what one side says the other hears, no faster than it listens.
// 1. A side that has finished speaking is still spoken to. 2. When one side breaks, the other is broken too, not ended:
// a cut answer must not look whole. 3. Once either is closed with something left to say, both are.
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** Both sockets allow half-open connections; `relay` owns them from here on. */
export function relay(one: Socket, other: Socket): void {
  one.setNoDelay(true);
  other.setNoDelay(true);
  join(one, other);
  join(other, one);
}

function join(from: Socket, to: Socket): void {
  from.once('error', () => abort(to));
  from.once('close', () => {
    if (!from.readableEnded || !from.writableFinished) abort(to);
  });
  from.pipe(to);
}

/** Closes it so that its peer learns that something is missing. */
export function abort(socket: Socket): void {
  if (socket.destroyed) return;
  // One that is still connecting has no peer to tell, and TLS tells of a missing end by itself.
  if (socket.connecting || socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}
