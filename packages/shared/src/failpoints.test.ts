import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { openFailpoints } from './failpoints.ts';

const url = 'http://127.0.0.1:9/';
const session = { environment: 'development', subject: 'sesn_1' };

it('exist in development, on this machine, when they are asked for', () => {
  expect(openFailpoints({ ...session, url })).not.toBeNull();
  expect(openFailpoints({ ...session, url: undefined })).toBeNull();
  expect(openFailpoints({ ...session, url: '' })).toBeNull();
  expect(openFailpoints({ ...session, url: 'http://failpoints.example/' })).toBeNull();
  expect(openFailpoints({ ...session, url: 'http://127.0.0.1.example/' })).toBeNull();
  expect(openFailpoints({ ...session, url, environment: 'production' })).toBeNull();
  expect(openFailpoints({ ...session, url, environment: undefined })).toBeNull();
});

it('are gone past once they are answered', async () => {
  const seen: unknown[] = [];
  const answers: (() => void)[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (data) => {
      body += data;
    });
    request.on('end', () => {
      seen.push(JSON.parse(body));
      answers.push(() => response.writeHead(204).end());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const reach = openFailpoints({ ...session, url: `http://127.0.0.1:${port}/` });
  let passed = false;
  const passing = reach?.('append.user.message:before', ['user.message']).then(() => {
    passed = true;
  });
  await expect.poll(() => answers.length).toBe(1);
  expect(passed).toBe(false);
  answers[0]?.();
  await passing;
  expect(seen).toEqual([{ point: 'append.user.message:before', session: 'sesn_1', told: ['user.message'] }]);
});

it('hold nothing up when nobody answers', async () => {
  await openFailpoints({ ...session, url })?.('alarm.ring');
});
