// The platform as the Console reaches it: this page's origin, with its cookie as the credential.
import { createClient } from '@capstan/client/client';
import { withWatch } from './silence.ts';

/** Fires when the cookie is no longer good, whichever request noticed. */
export const signedOut = new EventTarget();

export const api = createClient({
  baseUrl: '',
  fetch: async (url, init) => {
    const response = await fetch(url, init);
    if (response.status === 401 && url !== '/api/login') signedOut.dispatchEvent(new Event('change'));
    return withWatch(response);
  },
});

/** 128 random bits. `crypto.randomUUID` is missing where the page is not served over https or from localhost. */
export function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
