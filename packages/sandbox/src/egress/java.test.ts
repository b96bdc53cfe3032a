// Java through the proxy, with the variables and files a sandbox is given, where there is a JDK to run.
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JAVA_RELAY } from './attachment.ts';
import { javaKeystore } from './java-keystore.ts';
import { openProgramGround, type ProgramGround } from './testing/program-ground.ts';
import { upstreamAuthority } from './testing.ts';

const jdk = /^javac (\d+)/.exec(spawnSync('javac', ['-version'], { encoding: 'utf8' }).stdout ?? '')?.[1];

/** Two requests with each of Java's own clients: the second may use the connection of the first. */
const PROBE = `
import java.net.*;
import java.net.http.*;
public class Probe {
  public static void main(String[] urls) throws Exception {
    HttpClient client = HttpClient.newHttpClient();
    String token = "Bearer " + System.getenv("TOKEN");
    for (String url : urls) for (int i = 0; i < 2; i++) {
      URLConnection connection = URI.create(url).toURL().openConnection();
      connection.setRequestProperty("Authorization", token);
      System.out.println(new String(connection.getInputStream().readAllBytes()));
      HttpRequest request = HttpRequest.newBuilder(URI.create(url)).header("Authorization", token).build();
      System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
    }
  }
}`;

describe.skipIf(jdk === undefined)('java', () => {
  let ground: ProgramGround;
  let dir: string;
  let env: NodeJS.ProcessEnv;
  const authorizations: (string | undefined)[] = [];
  const run = promisify(execFile);
  const java = (...args: string[]) => run('java', args, { env, cwd: dir, timeout: 60_000 });

  beforeAll(async () => {
    ground = await openProgramGround(() => (request, response) => {
      authorizations.push(request.headers.authorization);
      response.end(`hello ${request.url}`);
    });
    dir = ground.dir;
    env = { PATH: process.env.PATH, ...ground.env };
    writeFileSync(join(dir, 'ca', basename(JAVA_RELAY.path)), JAVA_RELAY.content);
    // Hosts that are tunnelled show what servers of tests show.
    const trusted = [ground.world.proxy.authority.certificate, upstreamAuthority.certificate];
    writeFileSync(join(dir, 'ca', 'ca.jks'), javaKeystore(trusted));
    writeFileSync(join(dir, 'Probe.java'), PROBE);
  });
  afterAll(() => ground.close());

  it('reaches hosts with a credential, without one, and in the clear, with each of its clients', async () => {
    const { hosts, credential } = ground;
    const urls = [`https://${hosts.own}/own`, `https://${hosts.other}/other`, `http://${hosts.plain}/plain`];
    const { stdout } = await java('Probe.java', ...urls);
    const answers = ['own', 'other', 'plain'].flatMap((path) => Array(4).fill(`hello /${path}`));
    expect(stdout.trim().split('\n')).toEqual(answers);
    const bearer = (value: string) => Array(4).fill(`Bearer ${value}`);
    expect(authorizations).toEqual([
      ...bearer(credential.secret),
      ...bearer(credential.placeholder),
      ...bearer(credential.placeholder),
    ]);
  }, 90_000);

  it('is refused what the sandbox may not reach', async () => {
    await expect(java('Probe.java', 'https://evil.test/')).rejects.toThrow(/403|Egress denied/);
  }, 90_000);

  it.skipIf(spawnSync('mvn', ['-v']).status !== 0)(
    'builds by Maven, which asks for its plugins there',
    async () => {
      const project = `<project><modelVersion>4.0.0</modelVersion><groupId>a</groupId><artifactId>b</artifactId><version>1</version></project>`;
      writeFileSync(join(dir, 'pom.xml'), project);
      await run('mvn', ['-q', `-Dmaven.repo.local=${join(dir, 'm2')}`, 'compile'], { env, cwd: dir }).catch(
        (refused: unknown) => refused,
      );
      expect(ground.world.denied.map(({ target }) => target)).toContain('repo.maven.apache.org:443');
    },
    90_000,
  );

  it('runs without a proxy, with one of its own, and without the key store', async () => {
    const { HTTPS_PROXY: _none, ...alone } = env;
    const says = (more: string[], around: NodeJS.ProcessEnv) =>
      run('java', [...more, '-XshowSettings:properties', '-version'], { env: around, cwd: dir });
    expect((await says([], env)).stderr).toMatch(/https\.proxyHost = 127\.0\.0\.1.*trustStore = /s);
    expect((await says([], alone)).stderr).not.toContain('https.proxyHost');
    expect((await says(['-Dhttps.proxyHost=mine.test'], env)).stderr).not.toContain('127.0.0.1');
    rmSync(join(dir, 'ca', 'ca.jks'));
    expect((await says([], env)).stderr).not.toContain('trustStore');
  }, 90_000);

  it.skipIf(jdk !== '17')(
    'has the relay that its source makes',
    async () => {
      const made = join(dir, 'made.jar');
      await run('sh', [join(import.meta.dirname, 'java/build.sh'), made]);
      expect(readFileSync(made).equals(JAVA_RELAY.content)).toBe(true);
    },
    90_000,
  );
});
