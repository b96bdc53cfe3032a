// Programs people run in sandboxes, with the variables and files a sandbox is given, through the proxy to servers on loopback.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SandboxCredential } from '../port.ts';
import { openProgramGround, type ProgramGround } from './testing/program-ground.ts';
import { gitServer, wheelOf } from './testing/servers.ts';
import { upstreamAuthority } from './testing.ts';

let ground: ProgramGround;
let dir: string;
let env: NodeJS.ProcessEnv;
let credential: SandboxCredential;
/** Hosts with a credential, and without: TLS ended here, and tunnelled. */
let hosts: ProgramGround['hosts'];
let authorizations: (string | undefined)[] = [];

const run = promisify(execFile);
const ask = async (file: string, ...args: string[]) =>
  (await run(file, args, { env, cwd: dir, timeout: 100_000 })).stdout;

function answer(directory: string): RequestListener {
  const { repository, answer: git } = gitServer(directory);
  const wheel = wheelOf('capstan_probe');
  return (request, response) => {
    authorizations.push(request.headers.authorization);
    if (request.url?.startsWith(repository)) return git(request, response);
    if (request.url?.startsWith('/simple/'))
      return void response.setHeader('Content-Type', 'text/html').end(wheel.page);
    if (request.url?.startsWith('/wheel/')) return void response.end(wheel.content);
    response.end(`hello ${request.url}`);
  };
}

beforeAll(async () => {
  ground = await openProgramGround(answer);
  ({ dir, credential, hosts } = ground);
  // Where a sandbox has them is not ours to write here. Hosts that are tunnelled show what servers of tests show.
  for (const { path, content } of ground.needs.files)
    writeFileSync(join(dir, 'ca', basename(path)), `${Buffer.from(content)}${upstreamAuthority.certificate}`);
  env = { PATH: process.env.PATH, GIT_TERMINAL_PROMPT: '0', ...ground.env };
});
afterAll(() => ground.close());

describe.each(['own', 'other'] as const)('at a host of kind "%s"', { timeout: 120_000 }, (kind) => {
  const url = (path: string) => `https://${hosts[kind]}${path}`;
  const answered = () => {
    const last = authorizations.at(-1);
    authorizations = [];
    return last;
  };
  /** The secret arrives at the credential's own host, and nowhere else. */
  const expected = () => (kind === 'own' ? credential.secret : credential.placeholder);

  it('curl', async () => {
    expect(
      await ask('curl', '-sS', '-H', `Authorization: Bearer ${credential.placeholder}`, url('/curl')),
    ).toBe('hello /curl');
    expect(answered()).toBe(`Bearer ${expected()}`);
    await ask('curl', '-sS', '-u', `me:${credential.placeholder}`, url('/curl'));
    expect(answered()).toBe(`Basic ${btoa(`me:${expected()}`)}`);
  });

  it('git', async () => {
    const target = join(dir, `clone-${kind}`);
    await ask(
      'git',
      'clone',
      '-q',
      url('/repository.git').replace('//', `//x-access-token:${credential.placeholder}@`),
      target,
    );
    expect(await ask('git', '-C', target, 'log', '--format=%s')).toBe('a commit\n');
    expect(answered()).toBe(`Basic ${btoa(`x-access-token:${expected()}`)}`);
  });

  it('python', async () => {
    const script = `import os, urllib.request as u
print(u.urlopen(u.Request('${url('/python')}', headers={'Authorization': 'Bearer ' + os.environ['TOKEN']})).read().decode())`;
    expect(await ask('python3', '-c', script)).toBe('hello /python\n');
    expect(answered()).toBe(`Bearer ${expected()}`);
  });

  it('pip', async () => {
    const target = join(dir, `site-${kind}`);
    await ask(
      'python3',
      '-m',
      'pip',
      'install',
      '-q',
      '--disable-pip-version-check',
      '--no-cache-dir',
      '--target',
      target,
      '--index-url',
      url('/simple'),
      'capstan-probe',
    );
    expect(
      await ask(
        'python3',
        '-c',
        `import sys; sys.path.insert(0, '${target}'); import capstan_probe; print(capstan_probe.NAME)`,
      ),
    ).toBe('probe\n');
  });

  it('node', async () => {
    const script = `const r = await fetch('${url('/node')}', { headers: { authorization: 'Bearer ' + process.env.TOKEN } }); console.log(await r.text())`;
    expect(await ask(process.execPath, '--input-type=module', '-e', script)).toBe('hello /node\n');
    expect(answered()).toBe(`Bearer ${expected()}`);
  });

  it('openssl', async () => {
    const [user = '', password = ''] = (env.HTTPS_PROXY ?? '').replace(/^.*\/\/|@.*$/g, '').split(':');
    const args = [
      's_client',
      '-proxy',
      `127.0.0.1:${ground.world.port}`,
      '-proxy_user',
      user,
      '-proxy_pass',
      'env:PASSWORD',
      '-connect',
      hosts[kind],
      '-servername',
      hosts[kind].split(':')[0] ?? '',
      '-verify_return_error',
      '-brief',
    ];
    const talking = run('openssl', args, { env: { ...env, PASSWORD: password }, timeout: 100_000 });
    talking.child.stdin?.end();
    expect((await talking).stderr).toContain('Verification: OK');
  });
});

describe('in the clear and refused', { timeout: 120_000 }, () => {
  it('curl, python and node reach a host over http', async () => {
    const url = `http://${hosts.plain}/`;
    expect(await ask('curl', '-sS', url)).toBe('hello /');
    expect(
      await ask('python3', '-c', `import urllib.request as u; print(u.urlopen('${url}').read().decode())`),
    ).toBe('hello /\n');
    expect(
      await ask(
        process.execPath,
        '--input-type=module',
        '-e',
        `console.log(await (await fetch('${url}')).text())`,
      ),
    ).toBe('hello /\n');
  });

  it('programs tell why a host is refused', async () => {
    const refused = (file: string, ...args: string[]) =>
      ask(file, ...args).catch((error: { stderr: string }) => error.stderr);
    expect(await refused('curl', '-sSv', 'https://evil.test/')).toContain('Egress denied (host_not_allowed)');
    expect(
      await refused('python3', '-c', "import urllib.request as u; u.urlopen('https://evil.test/')"),
    ).toContain('Egress denied (host_not_allowed)');
    expect(await ask('curl', '-s', 'http://evil.test/')).toContain('Add it to networking.allowed_hosts');
  });
});
