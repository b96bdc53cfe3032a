import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Image, Sandbox } from 'modal';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { EmulatorOptions } from './emulator.ts';
import { hasPackages } from './host-etc.ts';
import {
  bash,
  connect,
  PATIENTLY,
  startProgram,
  startTestEmulator,
  type TestEmulator,
  temporaryState,
} from './testing.ts';

const LAYOUTS: Partial<EmulatorOptions>[] = [{}, { layout: { layout: 'copies', reason: 'the test' } }];

describe.each(LAYOUTS)('building an image, with %o', { timeout: 60_000 }, (options) => {
  let world: TestEmulator;
  let build: (...lines: string[]) => Promise<Image>;
  beforeAll(async () => {
    world = await startTestEmulator({ ...options, buildLimits: { logBytes: 1_000_000 } });
    build = (...lines) => world.image.dockerfileCommands(lines).build(world.app);
  });
  afterAll(() => world.stop());

  const outputIn = async (image: Image, script: string) => {
    const sandbox: Sandbox = await world.client.sandboxes.create(world.app, image);
    const { stdout, stderr } = await bash(sandbox, script);
    await sandbox.terminate();
    return stdout + stderr;
  };

  const tool = 'tool of red\n';

  it('runs its commands, one after another, for all sandboxes of the image', async () => {
    const image = await build(
      'ARG WHERE=/opt/app',
      'ENV COLOR=red PATH=/opt/app/bin:$PATH',
      'WORKDIR $WHERE',
      'RUN mkdir bin && \\',
      '  # a remark',
      '  printf \'#!/bin/sh\\necho tool of %s\' "$COLOR" >bin/tool && chmod +x bin/tool',
      'RUN ["bash", "-c", "tool >made; rm -f /etc/hosts; ln -s made link"]',
      'RUN <<END\ncat made >again\necho over lines >>again\nEND',
    );
    expect(
      await outputIn(image, 'pwd; tool; cat made again link; ls /etc/hosts; whoami; stat -c %U made'),
    ).toBe(
      `/opt/app\n${tool}${tool}${tool}over lines\n${tool}root\nroot\nls: cannot access '/etc/hosts': No such file or directory\n`,
    );
  });

  it('builds on another image, and on a snapshot', async () => {
    const { client, app } = world;
    const one = await build('ENV ONE=1', 'WORKDIR /one', 'RUN echo one >file');
    const two = await client.images.fromId(one.imageId);
    const built = await two.dockerfileCommands(['RUN echo "$ONE" two >>file']).build(app);
    expect(await outputIn(built, 'pwd; cat file')).toBe('/one\none\n1 two\n');
    const sandbox = await client.sandboxes.create(app, built);
    await bash(sandbox, 'echo three >>file');
    const snapshot = await sandbox.snapshotFilesystem({ ttlMs: null });
    await client.images.delete(built.imageId);
    await sandbox.terminate({ wait: true });
    const on = await (await client.images.fromId(snapshot.imageId))
      .dockerfileCommands(['RUN echo four >>file'])
      .build(app);
    expect(await outputIn(on, 'cat file')).toBe('one\n1 two\nthree\nfour\n');
    expect(await outputIn(snapshot, 'cat file')).toBe('one\n1 two\nthree\n');
    expect(await outputIn(one, 'cat file')).toBe('one\n');
  });

  it('stays for the sandboxes that have it when it is deleted', async () => {
    const { client, app, stateDir } = world;
    const before = readdirSync(join(stateDir, 'images'));
    const image = await build('RUN mkdir -p /opt/kept/deep && echo kept >/opt/kept/deep/file');
    const sandbox = await client.sandboxes.create(app, image);
    await client.images.delete(image.imageId);
    // What is not needed is gone by the time that another image is.
    const other = await build('RUN true');
    await client.images.delete(other.imageId);
    await vi.waitFor(
      () => expect(readdirSync(join(stateDir, 'images'))).toHaveLength(before.length + 1),
      PATIENTLY,
    );
    expect((await bash(sandbox, 'cat /opt/kept/deep/file')).stdout).toBe('kept\n');
    await sandbox.terminate({ wait: true });
    await vi.waitFor(() => expect(readdirSync(join(stateDir, 'images'))).toEqual(before), PATIENTLY);
  });

  it('is done once for the same lines, also when they come twice at once, and again when it has to be', async () => {
    const lines = ['RUN date +%s%N >/now'];
    const [first, second] = await Promise.all([build(...lines), build(...lines)]);
    expect(second?.imageId).toBe(first?.imageId);
    if (first === undefined) throw new Error('it was built');
    expect((await build(...lines)).imageId).toBe(first.imageId);
    const forced = await world.image.dockerfileCommands(lines, { forceBuild: true }).build(world.app);
    expect(forced.imageId).not.toBe(first.imageId);
    expect(await outputIn(forced, 'cat /now')).not.toBe(await outputIn(first, 'cat /now'));
    expect((await build(...lines)).imageId).toBe(forced.imageId);
  });

  it('fails with the command, its exit code and the end of its log, and leaves nothing', async () => {
    const before = readdirSync(join(world.stateDir, 'images'));
    const failing = build(`RUN seq 100000; printf 'é%.0s' {1..3000} >&2; cat; exit 7`);
    await expect(failing).rejects.toThrow(
      /^Image build for im-\w{22} failed with the exception:\nLine 2 failed with exit code 7: RUN seq/,
    );
    const message = await failing.then(String, String);
    const [, log = ''] = message.split(/exit 7\n/);
    expect(Buffer.byteLength(log)).toBeLessThanOrEqual(4096);
    expect(log).not.toContain('\ufffd');
    expect(log).toMatch(/99999\n100000\n/);
    await expect(build('RUN ["no-such-program"]')).rejects.toThrow(/exit code 127: RUN \["no-such/);
    await expect(build('RUN kill -9 $$')).rejects.toThrow(/exit code 137/);
    await vi.waitFor(() => expect(readdirSync(join(world.stateDir, 'images'))).toEqual(before), PATIENTLY);
    for await (const left of world.client.sandboxes.list()) throw new Error(`${left.sandboxId} is left`);
  });

  it('stops a command that writes without end', async () => {
    await expect(build('RUN yes')).rejects.toThrow(/wrote more than 1000000 bytes of output: RUN yes\ny\ny/);
  });

  it('refuses what it cannot do, by line and reason', async () => {
    await expect(build('ADD https://example.com/x /x')).rejects.toThrow(
      /Line 2, "ADD .*without files of yours/,
    );
    await expect(build('RUN --mount=type=secret,id=x true')).rejects.toThrow(
      /--mount=type=secret,id=x cannot be done/,
    );
    await expect(build('USER nobody')).rejects.toThrow(/one user, root/);
    await expect(build('FROM scratch')).rejects.toThrow(/no build stages/);
    await expect(build('INSTALL vim')).rejects.toThrow(/"INSTALL" is no instruction/);
    await expect(build(`RUN ${'x'.repeat(200_000)}`)).rejects.toThrow(/An argument is over 131071 bytes/);
  });

  it('confines its commands as it does all others', async () => {
    const tries =
      'mount -t tmpfs none /mnt || unshare -m true || ls /work || grep -q "CapEff:.*[1-9a-f]" /proc/self/status || exec 3<>/dev/tcp/1.1.1.1/53';
    await expect(build(`RUN ["bash", "-c", ${JSON.stringify(tries)}]`)).rejects.toThrow(/exit code/);
    const image = await build(
      'RUN printf "#!/bin/sh\\necho taken over >/tmp/seen\\n" >/tmp/x && chmod +x /tmp/x && mkdir -p /usr/local/sbin 2>/dev/null; for p in mount setpriv perl hostname unshare; do cp /tmp/x /usr/local/sbin/$p 2>/dev/null || :; done; echo /tmp/x.so >/etc/ld.so.preload',
    );
    expect(
      await outputIn(
        image,
        'cat /tmp/seen 2>/dev/null; grep -E "CapEff|CapBnd|NoNewPrivs|Seccomp:" /proc/1/status 2>/dev/null',
      ),
    ).toContain('CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n');
  });
});

describe('a build', { timeout: 60_000 }, () => {
  it('keeps what each line left, so that what begins alike is not done again', async () => {
    const world = await startTestEmulator();
    onTestFinished(() => world.stop());
    const build = (...lines: string[]) => world.image.dockerfileCommands(lines).build(world.app);
    const trees = () => readdirSync(join(world.stateDir, 'images')).length;
    await expect(build('RUN date +%s%N >/one', 'RUN false')).rejects.toThrow(/exit code 1/);
    expect(trees()).toBe(1);
    const a = await build('RUN date +%s%N >/one', 'RUN echo a >/two');
    const b = await build('RUN date +%s%N >/one', 'RUN echo b >/two');
    expect(trees()).toBe(3);
    const contents = await Promise.all(
      [a, b].map(
        async (image) =>
          (await bash(await world.client.sandboxes.create(world.app, image), 'cat /one /two')).stdout,
      ),
    );
    expect(contents[0]?.slice(0, -2)).toBe(contents[1]?.slice(0, -2));
    for await (const sandbox of world.client.sandboxes.list()) await sandbox.terminate({ wait: true });
    await world.client.images.delete(a.imageId);
    await vi.waitFor(() => expect(trees()).toBe(2), PATIENTLY);
    await world.client.images.delete(b.imageId);
    await vi.waitFor(() => expect(trees()).toBe(0), PATIENTLY);
  });

  it('ends at its time limit', async () => {
    const world = await startTestEmulator({ buildLimits: { timeMs: 4000 } });
    onTestFinished(() => world.stop());
    const image = world.image.dockerfileCommands(['RUN echo begun; sleep 600 & wait']);
    await expect(image.build(world.app)).rejects.toThrow(
      /was stopped: a build has 4 seconds: RUN echo.*\nbegun$/s,
    );
  });
});

describe('installers', { timeout: 120_000 }, () => {
  it('find a place for programs where /usr is read-only', async () => {
    const world = await startTestEmulator(LAYOUTS[1]);
    onTestFinished(() => world.stop());
    const image = await world.image
      .dockerfileCommands([
        'RUN mkdir -p /opt/npm/bin && echo "echo found" >/opt/npm/bin/found && chmod +x /opt/npm/bin/found',
      ])
      .build(world.app);
    const sandbox = await world.client.sandboxes.create(world.app, image);
    expect(
      (await bash(sandbox, 'found; npm config get prefix; python3 -m site --user-base; touch /usr/x')).stdout,
    ).toBe('found\n/opt/npm\n/opt/python\n');
  });

  const DEB = `set -e; mkdir -p /tmp/p/DEBIAN /tmp/p/usr/bin /tmp/p/usr/share/man/man1 /tmp/p/etc /tmp/p/usr/share/doc/capstan-tool
    printf 'Package: capstan-tool\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@example.com>\nDescription: a tool\n' >/tmp/p/DEBIAN/control
    printf '#!/bin/sh\nupdate-alternatives --install /usr/bin/capstan-alt capstan-alt /usr/bin/capstan-tool 1; ldconfig\n' >/tmp/p/DEBIAN/postinst
    printf '#!/bin/sh\necho by apt' >/tmp/p/usr/bin/capstan-tool; echo m >/tmp/p/usr/share/man/man1/t.1; echo c >/tmp/p/etc/capstan.conf
    chmod 755 /tmp/p/DEBIAN/postinst /tmp/p/usr/bin/capstan-tool; dpkg-deb -b /tmp/p /tmp/p.deb`;
  const NPM = `mkdir -p /tmp/n && cd /tmp/n && printf '{"name":"capstan-npm","version":"1.0.0","bin":"./run.js"}' >package.json && printf '#!/usr/bin/env node\nconsole.log("by npm")' >run.js && npm install --global --offline --no-audit --no-fund "$(npm pack --silent)"`;

  const users = process.getuid?.() === 0 ? [undefined, 65_533] : [undefined];
  it.runIf(hasPackages()).each(users)(
    'bring programs and libraries into an image, for the user %s',
    async (owner) => {
      const { stateDir, remove } = temporaryState(owner);
      onTestFinished(remove);
      const program = await startProgram(stateDir, owner);
      onTestFinished(() => void program.child.kill('SIGKILL'));
      const { image, app, client, close } = await connect(program.url);
      const built = await image
        .dockerfileCommands([
          `RUN ["bash", "-c", ${JSON.stringify(DEB)}]`,
          'RUN DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends /tmp/p.deb',
          `RUN ["bash", "-c", ${JSON.stringify(NPM)}]`,
          'RUN echo "VALUE = 1" >/tmp/own.py && python3 -c "import sysconfig; print(sysconfig.get_path(\'purelib\'))" >/tmp/lib && mkdir -p "$(cat /tmp/lib)" && cp /tmp/own.py "$(cat /tmp/lib)/capstan_own.py"',
        ])
        .build(app);
      const sandbox = await client.sandboxes.create(app, built);
      expect(
        await bash(
          sandbox,
          'capstan-tool; capstan-alt; capstan-npm; python3 -c "import capstan_own; print(capstan_own.VALUE)"; dpkg -s capstan-tool | grep Status; cat /etc/capstan.conf',
        ),
      ).toEqual({
        code: 0,
        stdout: 'by apt\nby apt\nby npm\n1\nStatus: install ok installed\nc\n',
        stderr: '',
      });
      close();
      program.child.kill('SIGTERM');
      await program.exited;
    },
  );
});

describe('an emulator of an ordinary user', { timeout: 60_000 }, () => {
  it('builds images with programs of their own, takes snapshots, and keeps both over a restart', async () => {
    const owner = process.getuid?.() === 0 ? 65_533 : undefined;
    const { stateDir, remove } = temporaryState(owner);
    onTestFinished(remove);
    const first = await startProgram(stateDir, owner);
    onTestFinished(() => void first.child.kill('SIGKILL'));
    const before = await connect(first.url);
    const image = await before.image
      .dockerfileCommands([
        'RUN for d in /usr/bin /usr/local/bin /usr/lib/python3; do mkdir -p $d && echo "echo built" >$d/built && chmod +x $d/built; done',
        'RUN cp /usr/bin/env /tmp/env && mv /tmp/env /usr/bin/env && rm /usr/bin/cksum && mkdir /usr/share/new',
      ])
      .build(before.app);
    const sandbox = await before.client.sandboxes.create(before.app, image);
    const look =
      '/usr/bin/built; /usr/local/bin/built; stat -c %U /usr/bin/env; ls -d /usr/bin/cksum /usr/share/new 2>/dev/null; cat /workspace/own 2>/dev/null; :';
    expect(await bash(sandbox, look)).toEqual({
      code: 0,
      stdout: 'built\nbuilt\nroot\n/usr/share/new\n',
      stderr: '',
    });
    await bash(
      sandbox,
      'echo own >/workspace/own; rm -r /usr/share/new; rm /usr/bin/built; echo "echo snapped" >/usr/bin/built; chmod +x /usr/bin/built',
    );
    const snapshot = await sandbox.snapshotFilesystem({ ttlMs: null });
    before.close();
    first.child.kill('SIGTERM');
    await first.exited;

    const second = await startProgram(stateDir, owner);
    onTestFinished(() => void second.child.kill('SIGKILL'));
    const after = await connect(second.url);
    const again = await after.client.sandboxes.create(
      after.app,
      await after.client.images.fromId(image.imageId),
    );
    expect((await bash(again, look)).stdout).toBe('built\nbuilt\nroot\n/usr/share/new\n');
    const restored = await after.client.sandboxes.create(
      after.app,
      await after.client.images.fromId(snapshot.imageId),
    );
    expect((await bash(restored, look)).stdout).toBe('snapped\nbuilt\nroot\nown\n');
    await after.client.images.delete(snapshot.imageId);
    await after.client.images.delete(image.imageId);
    await Promise.all([again, restored].map((each) => each.terminate({ wait: true })));
    await vi.waitFor(() => expect(readdirSync(join(stateDir, 'images'))).toEqual([]), PATIENTLY);
    after.close();
    second.child.kill('SIGTERM');
    await second.exited;
  });
});
