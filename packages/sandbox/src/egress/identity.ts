// Identity: which sandbox speaks. A sandbox proves its name with a token that only holders of the gateway's secret can make,
// so every gateway process knows every sandbox without having met it.
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

export interface Identity {
  sandbox: string;
  /** Which of the secrets made its token: 0 is the current one. */
  secretIndex: number;
}

export interface Identities {
  /** The password of the sandbox in its proxy URL. */
  tokenFor(sandbox: string): string;
  /** From a Proxy-Authorization header; null when it proves nothing. */
  identify(header: string | undefined): Identity | null;
}

/** Who the builds of images are to the proxy; no sandbox has this name. */
export const IMAGE_BUILDS = 'image-builds';

const NAME = /^[A-Za-z0-9._-]{1,64}$/;

/** `secrets`: the current one, then those whose sandboxes still run. */
export function createIdentities(secrets: readonly string[]): Identities {
  const keys = secrets.map((secret) => deriveKey(secret, 'capstan egress token'));
  const [current] = keys;
  if (current === undefined) throw new RangeError('Identities need at least one secret');
  return {
    tokenFor: (sandbox) => macOf(current, sandbox).toString('base64url'),
    identify(header) {
      const pair = /^basic +([A-Za-z0-9+/_=-]{1,512})$/i.exec(header ?? '')?.[1];
      const [, sandbox, token] = /^([^:]*):(.*)$/s.exec(Buffer.from(pair ?? '', 'base64').toString()) ?? [];
      if (sandbox === undefined || token === undefined || !NAME.test(sandbox)) return null;
      const given = Buffer.from(token, 'base64url');
      // Every key is tried: timing tells neither the key nor the token.
      const matches = keys.map((key) => isEqual(macOf(key, sandbox), given));
      const secretIndex = matches.indexOf(true);
      return secretIndex === -1 ? null : { sandbox, secretIndex };
    },
  };
}

/** 32 bytes for one use of a secret, which tell nothing of it or of its other uses. */
export function deriveKey(secret: string, use: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', use, 32));
}

function macOf(key: Buffer, sandbox: string): Buffer {
  return createHmac('sha256', key).update(sandbox).digest();
}

function isEqual(expected: Buffer, given: Buffer): boolean {
  return given.length === expected.length && timingSafeEqual(given, expected);
}
