import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger } from '@capstan/shared/logger';
import { type ModalClient, NotFoundError } from 'modal';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startEmulator } from './emulator.ts';
import {
  bash,
  connect,
  startProgram,
  startTestEmulator,
  type TestEmulator,
  TOKENS,
  temporaryState,
} from './testing.ts';
import { ObjectCreation, type SecretRequest } from './wire.ts';

const VALUE = 'a value that nobody else has';

/** As Modal's command line makes them: the SDK has no method for it. */
const make = (client: ModalClient, deploymentName: string, more: Partial<SecretRequest>) =>
  client.cpClient.secretGetOrCreate({ deploymentName, objectCreationType: ObjectCreation.create, ...more });

describe('secrets', { timeout: 60_000 }, () => {
  let world: TestEmulator;
  const lines: string[] = [];
  beforeAll(async () => {
    world = await startTestEmulator({ log: createLogger((line) => lines.push(line)) });
    await make(world.client, 'named', { envDict: { TOKEN: VALUE, COLOR: 'red' } });
  });
  afterAll(() => world.stop());

  it('are found by name, with the keys that are needed', async () => {
    const { secrets } = world.client;
    await expect(secrets.fromName('missing')).rejects.toThrow(
      new NotFoundError("Secret 'missing' not found in environment 'main'"),
    );
    expect((await secrets.fromName('named', { requiredKeys: ['TOKEN'] })).secretId).toMatch(/^st-/);
    await expect(secrets.fromName('named', { requiredKeys: ['TOKEN', 'A', 'B'] })).rejects.toThrow(
      new NotFoundError('Secret is missing key(s): A, B'),
    );
    await expect(secrets.fromName('named', { environment: 'other' })).rejects.toThrow(NotFoundError);
  });

  it('are in the environment of sandboxes, commands and builds that name them', async () => {
    const { client, app, image, create } = world;
    const secrets = [await client.secrets.fromName('named')];
    const sandbox = await create({ secrets, env: { COLOR: 'blue' } });
    expect((await bash(sandbox, 'echo "$TOKEN $COLOR"')).stdout).toBe(`${VALUE} blue\n`);
    const plain = await create();
    const run = await plain.exec(['sh', '-c', 'echo "$TOKEN $COLOR"'], { secrets, env: { COLOR: 'green' } });
    expect(await run.stdout.readText()).toBe(`${VALUE} green\n`);
    expect((await bash(plain, 'echo "[$TOKEN]"')).stdout).toBe('[]\n');
    const lines = ['RUN [ "$TOKEN" = "a value that nobody else has" ] && echo "$COLOR" >/color'];
    const built = await image.dockerfileCommands(lines, { secrets }).build(app);
    const from = await client.sandboxes.create(app, built);
    expect((await bash(from, 'cat /color; echo "[$TOKEN]"')).stdout).toBe('red\n[]\n');
    const sent = [await client.secrets.fromObject({ SIZE: 'large' })];
    const other = await image.dockerfileCommands(['RUN echo "$SIZE" >/size'], { secrets: sent }).build(app);
    expect((await bash(await client.sandboxes.create(app, other), 'cat /size; echo "[$SIZE]"')).stdout).toBe(
      'large\n[]\n',
    );
  });

  it('lie in no file and no line as they are', async () => {
    const text = (directory: string): string =>
      readdirSync(directory)
        .map((name) => readFileSync(join(directory, name), 'latin1'))
        .join('');
    const kept = text(join(world.stateDir, 'state'));
    for (const form of [
      VALUE,
      Buffer.from(VALUE).toString('base64').slice(0, -4),
      encodeURIComponent(VALUE),
    ]) {
      expect(kept).not.toContain(form);
      expect(lines.join('\n')).not.toContain(form);
    }
    expect(kept).toContain('TOKEN');
  });

  it('are replaced only where that is said, and running commands keep what they have', async () => {
    const { client, create } = world;
    await make(client, 'changing', { envDict: { KEY: 'old' } });
    const secrets = [await client.secrets.fromName('changing')];
    const sandbox = await create({ secrets });
    await make(client, 'changing', { envDict: { KEY: 'new' } });
    expect((await bash(await create({ secrets }), 'echo $KEY')).stdout).toBe('old\n');
    await expect(
      make(client, 'changing', { envDict: { KEY: 'new' }, objectCreationType: ObjectCreation.failIfExists }),
    ).rejects.toThrow(/ALREADY_EXISTS/);
    await make(client, 'changing', {
      envDict: { KEY: 'new', MORE: '1' },
      objectCreationType: ObjectCreation.overwrite,
    });
    expect((await bash(await create({ secrets }), 'echo $KEY $MORE')).stdout).toBe('new 1\n');
    expect((await bash(sandbox, 'echo $KEY')).stdout).toBe('old\n');
  });

  it('are gone when they are deleted, and then no sandbox starts without them', async () => {
    const { client, create } = world;
    await make(client, 'short-lived', { envDict: { KEY: 'x' } });
    const secrets = [await client.secrets.fromName('short-lived')];
    const sandbox = await create();
    await client.secrets.delete('short-lived');
    await client.secrets.delete('short-lived', { allowMissing: true });
    await expect(client.secrets.delete('short-lived')).rejects.toThrow(NotFoundError);
    await expect(create({ secrets })).rejects.toThrow(/No Secret with ID/);
    await expect(sandbox.exec(['true'], { secrets })).rejects.toThrow(/No Secret with ID/);
    expect((await bash(sandbox, 'echo goes on')).stdout).toBe('goes on\n');
  });

  it('have names and values that an environment can have', async () => {
    const bad: Record<string, string>[] = [
      { 'A-B': 'x' },
      { '1A': 'x' },
      { '': 'x' },
      { A: 'x\0y' },
      { A: 'x'.repeat(2 ** 17) },
    ];
    for (const envDict of bad)
      await expect(make(world.client, 'bad', { envDict })).rejects.toThrow(/INVALID_ARGUMENT/);
    await expect(make(world.client, 'no name', { envDict: { A: 'x' } })).rejects.toThrow(/is invalid/);
    const odd = { ODD: 'a\n"b" $(c) \'d\' ü' };
    await make(world.client, 'odd', { envDict: odd });
    const sandbox = await world.create({ secrets: [await world.client.secrets.fromName('odd')] });
    expect((await bash(sandbox, 'printf %s "$ODD"')).stdout).toBe(odd.ODD);
  });
});

describe('secrets of an emulator that ends', { timeout: 60_000 }, () => {
  it('are there again, unless its token secret is another', async () => {
    const { stateDir, remove } = temporaryState();
    onTestFinished(remove);
    const first = await startProgram(stateDir);
    onTestFinished(() => void first.child.kill('SIGKILL'));
    const before = await connect(first.url);
    await make(before.client, 'kept', { envDict: { KEY: VALUE } });
    first.child.kill('SIGKILL');
    await first.exited;
    before.close();

    const second = await startEmulator({ stateDir, port: 0, ...TOKENS });
    const { client, create, close } = await connect(second.url);
    const sandbox = await create({ secrets: [await client.secrets.fromName('kept')] });
    expect((await bash(sandbox, 'echo "$KEY"')).stdout).toBe(`${VALUE}\n`);
    close();
    await second.stop();

    const tokens = { ...TOKENS, tokenSecret: 'as-another' };
    const third = await startEmulator({ stateDir, port: 0, ...tokens });
    const other = await connect(third.url, tokens);
    const secrets = [await other.client.secrets.fromName('kept')];
    await expect(other.create({ secrets })).rejects.toThrow(/MODAL_TOKEN_SECRET was another/);
    await make(other.client, 'kept', {
      envDict: { KEY: 'made again' },
      objectCreationType: ObjectCreation.overwrite,
    });
    expect((await bash(await other.create({ secrets }), 'echo "$KEY"')).stdout).toBe('made again\n');
    other.close();
    await third.stop();
  });
});
