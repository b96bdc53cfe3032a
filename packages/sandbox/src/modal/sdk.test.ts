import { describe, expect, it } from 'vitest';
import { assertSdk, createModalClient, MODAL_VERSION } from './sdk.ts';

describe('the installed SDK', () => {
  const tokens = { tokenId: 'ak-test', tokenSecret: 'as-test' };

  it('has all that is used of it', () => {
    const { client } = createModalClient(tokens);
    expect(() => assertSdk(client)).not.toThrow();
    client.close();
  });

  it('is refused in another version, or when a method is gone, by name', () => {
    const { client } = createModalClient(tokens);
    expect(() => assertSdk(client, '0.12.0')).toThrow(/is 0\.12\.0: install 0\.11\.1/);
    const { images } = client;
    Reflect.set(client, 'images', { fromRegistry: images.fromRegistry });
    expect(() => assertSdk(client, MODAL_VERSION)).toThrow(
      /has no client.images.fromId, client.images.delete$/,
    );
    client.close();
  });
});
