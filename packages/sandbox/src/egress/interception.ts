// Interception: TLS of a sandbox ended here, with a certificate of our authority for the one host it asked for.
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { parseHost, type Target } from '@capstan/shared/hosts';
import type { Authority } from './authority.ts';
import { EgressRefusal } from './denial.ts';

export interface Ending {
  target: Target;
  authority: Authority;
  /** How long the handshake may take. */
  withinMs: number;
}

/** The client's side of the tunnel in the clear. Rejects with EgressRefusal when the client names another server or none of ours. */
export function endTls(client: Socket, { target, authority, withinMs }: Ending): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    let refusal: EgressRefusal | undefined;
    const context = authority.contextFor(target.host);
    const secure = new TLSSocket(client, {
      isServer: true,
      secureContext: context,
      // Clients that offer HTTP/2 take what is here; those that insist on it are refused by the handshake.
      ALPNProtocols: ['http/1.1'],
      SNICallback: (name, done) => {
        if (parseHost(name)?.text === target.host.text) return done(null, context);
        refusal = new EgressRefusal('server_name_mismatch');
        done(refusal);
      },
    });
    const settle = (end: () => void) => {
      clearTimeout(deadline);
      secure.off('close', closed);
      end();
    };
    const closed = () => settle(() => reject(refusal ?? new Error('closed')));
    const deadline = setTimeout(() => {
      refusal = new EgressRefusal('request_timeout');
      secure.destroy();
    }, withinMs);
    // A handshake that fails closes the socket, which is what is waited for.
    secure.on('error', () => {});
    secure.once('close', closed);
    secure.once('secure', () => settle(() => resolve(secure)));
  });
}
