import { describe, expect, it } from 'vitest';
import { requireSameOrigin } from './gate.ts';

const request = (headers: Record<string, string>) =>
  new Request('http://localhost:8787/v1/agents', { method: 'POST', headers });
const refused = expect.objectContaining({ code: 'forbidden' });

describe('requireSameOrigin', () => {
  it('lets our own pages write, also through a forwarded port', () => {
    requireSameOrigin(request({ origin: 'http://localhost:8787' }));
    requireSameOrigin(request({ origin: 'https://8787.forwarded.example', 'sec-fetch-site': 'same-origin' }));
  });

  it('refuses every other site, and callers that do not say where they are', () => {
    const elsewhere = ['https://evil.example', 'http://localhost:3000', 'https://localhost:8787', 'null'];
    for (const origin of elsewhere) {
      for (const site of ['cross-site', 'same-site', 'none']) {
        expect(() => requireSameOrigin(request({ origin, 'sec-fetch-site': site }))).toThrow(refused);
      }
      expect(() => requireSameOrigin(request({ origin }))).toThrow(refused);
    }
    expect(() => requireSameOrigin(request({}))).toThrow(refused);
  });
});
