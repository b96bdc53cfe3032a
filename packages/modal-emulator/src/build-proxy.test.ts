import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { proxyVariables } from './build-proxy.ts';
import { bash, startTestEmulator, type TestEmulator } from './testing.ts';

let proxy: Server;
let world: TestEmulator;
/** What the proxy was asked for, and by whom. */
const asked: { url?: string; authorization?: string }[] = [];

beforeAll(async () => {
  proxy = createServer((request, response) => {
    asked.push({ url: request.url, authorization: request.headers['proxy-authorization'] });
    response.end('a package');
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address();
  const place = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  world = await startTestEmulator({ forwards: [place], buildProxy: `http://builds:token@${place}` });
});
afterAll(async () => {
  await world.stop();
  proxy.close();
});

const FETCH = `import urllib.request as u; open("/opt/fetched", "wb").write(u.urlopen("http://packages.test/one").read())`;

describe('a build of an image', () => {
  it('fetches through the proxy, of which the image keeps nothing', async () => {
    const image = await world.image.dockerfileCommands([`RUN python3 -c '${FETCH}'`]).build(world.app);
    const authorization = `Basic ${Buffer.from('builds:token').toString('base64')}`;
    expect(asked).toEqual([{ url: 'http://packages.test/one', authorization }]);
    const sandbox = await world.client.sandboxes.create(world.app, image);
    const { stdout } = await bash(sandbox, 'cat /opt/fetched; env; cat /proc/1/environ');
    expect(stdout).toContain('a package');
    expect(stdout).not.toMatch(/proxy|token/i);
  });
});

describe('a proxy of builds', () => {
  it('is a URL', () => {
    expect(() => proxyVariables('proxy.test:80')).toThrow(/http:\/\/name:token@host:port/);
  });
});
