// A session's files in memory, and git over HTTP inside a sandbox: there is no other network in it.
import type { Sandboxes } from '@capstan/sandbox/port';
import type { Mountable, Output, RecordName, SessionFiles, WorkspaceRecord } from './session-files.ts';

export interface KeptOutput {
  path: string;
  text: string;
  sizeBytes: number;
  at: number;
}

export class MemoryFiles implements SessionFiles {
  mountables: Mountable[] = [];
  /** By resource. */
  tokens = new Map<string, string>();
  contents = new Map<string, Uint8Array<ArrayBuffer>>();
  kept: KeptOutput[] = [];
  #changed = false;

  change(mountables: Mountable[]): void {
    this.mountables = mountables;
    this.#changed = true;
  }

  stale(): boolean {
    return this.#changed;
  }

  async resources(): Promise<Mountable[]> {
    this.#changed = false;
    return this.mountables;
  }

  async holdsTokens(): Promise<boolean> {
    return this.tokens.size > 0;
  }

  async token(resourceId: string): Promise<string | null> {
    return this.tokens.get(resourceId) ?? null;
  }

  async open(fileId: string): Promise<ReadableStream<Uint8Array> | null> {
    const bytes = this.contents.get(fileId);
    return bytes === undefined ? null : new Blob([bytes]).stream();
  }

  async keep(outputs: readonly Output[]): Promise<void> {
    const kept = await Promise.all(outputs.map(readWhole));
    this.kept.push(...kept);
  }

  /** A file to be mounted there. */
  file(id: string, mountPath: string, bytes: Uint8Array<ArrayBuffer>): Mountable {
    this.contents.set(`file_${id}`, bytes);
    return { type: 'file', id, mountPath, fileId: `file_${id}`, sizeBytes: bytes.length };
  }
}

async function readWhole({ path, content }: Output): Promise<KeptOutput> {
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  const text = bytes.subarray(0, 100).toString();
  return { path, text, sizeBytes: bytes.length, at: Date.now() };
}

export class MemoryRecord implements WorkspaceRecord {
  texts = new Map<string, string>();

  load(name: RecordName): string | null {
    return this.texts.get(name) ?? null;
  }

  save(name: RecordName, text: string): void {
    this.texts.set(name, text);
  }
}

const SERVER = `
import http.server, os
class Git(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args): pass
    def do_GET(self):
        for word, status in (('private', 401), ('forbidden', 403)):
            if self.path.startswith('/' + word):
                self.send_response(status)
                if status == 401: self.send_header('WWW-Authenticate', 'Basic realm="git"')
                self.end_headers()
                return
        super().do_GET()
os.chdir('/srv/git')
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Git)
open('/tmp/git-port.new', 'w').write(str(server.server_port))
os.rename('/tmp/git-port.new', '/tmp/git-port')
server.serve_forever()
`;

const PREPARE = `set -e
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b HOME=/tmp
mkdir -p /srv/git && cd "$(mktemp -d)" && git init -q -b main . && echo one >file && git add . && git commit -qm one
git rev-parse HEAD && git checkout -q -b side && echo two >file && git commit -qam two && git checkout -q main
git clone -q --bare . /srv/git/name.git && git -C /srv/git/name.git update-server-info`;

/** Serves a repository with branches \`main\` (\`one\`) and \`side\` (\`two\`) inside the sandbox. */
export async function serveGit(
  sandboxes: Sandboxes,
  sandboxId: string,
): Promise<{ url: string; commit: string }> {
  const exec = async (command: string) => {
    const { exitCode, stdout, stderr } = await sandboxes.exec({ sandboxId, command, cwd: '/' });
    if (exitCode !== 0) throw new TypeError(new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout).trim();
  };
  const commit = await exec(PREPARE);
  const run = { sandboxId, runId: 'git-server', command: ['python3', '-c', SERVER], timeoutMs: 600_000 };
  await sandboxes.startRun(run);
  const port = await exec(
    'until [[ -e /tmp/git-port ]]; do read -rt 0.05 <> <(:) || :; done; cat /tmp/git-port',
  );
  return { url: `http://127.0.0.1:${port}`, commit };
}
