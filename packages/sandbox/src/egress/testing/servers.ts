// Servers that tools expect: a git repository over HTTP, and a Python package in an index.
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

/** A repository with one commit at /repository.git, for those who give any credentials. */
export function gitServer(dir: string): { repository: string; answer: RequestListener } {
  const bare = join(dir, 'repository.git');
  const work = join(dir, 'work');
  const git = (...args: string[]) =>
    execFileSync('git', args, { stdio: 'pipe', env: { PATH: process.env.PATH, HOME: dir } });
  git('init', '-q', '--bare', bare);
  git('init', '-q', work);
  git(
    '-C',
    work,
    '-c',
    'user.name=a',
    '-c',
    'user.email=a@b.c',
    'commit',
    '-q',
    '--allow-empty',
    '-m',
    'a commit',
  );
  git('-C', work, 'push', '-q', bare, 'HEAD:refs/heads/main');
  git('-C', bare, 'symbolic-ref', 'HEAD', 'refs/heads/main');
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    if (request.headers.authorization === undefined)
      return void response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end();
    const url = new URL(request.url ?? '', 'http://git');
    const backend = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env.PATH,
        GIT_PROJECT_ROOT: dir,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: url.pathname,
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
        REMOTE_USER: 'a',
      },
    });
    request.pipe(backend.stdin);
    const parts: Buffer[] = [];
    backend.stdout.on('data', (part: Buffer) => parts.push(part));
    backend.once('close', () => {
      const all = Buffer.concat(parts);
      const end = all.indexOf('\r\n\r\n');
      for (const line of all.toString('latin1', 0, end).split('\r\n')) {
        const [name = '', value = ''] = line.split(/: (.*)/s);
        if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      response.end(all.subarray(end + 4));
    });
  };
  return { repository: '/repository.git', answer };
}

/** A pure wheel of one module whose NAME is "probe", and the index page that links to it. */
export function wheelOf(name: string): { page: string; content: Buffer } {
  const info = `${name}-1.0.dist-info`;
  const content = zip([
    [`${name}.py`, 'NAME = "probe"\n'],
    [`${info}/METADATA`, `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n`],
    [`${info}/WHEEL`, 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n'],
    [`${info}/RECORD`, `${name}.py,,\n${info}/METADATA,,\n${info}/WHEEL,,\n${info}/RECORD,,\n`],
  ]);
  const file = `${name}-1.0-py3-none-any.whl`;
  const hash = createHash('sha256').update(content).digest('hex');
  return { content, page: `<!DOCTYPE html><a href="/wheel/${file}#sha256=${hash}">${file}</a>` };
}

/** Stored, not compressed. */
function zip(files: readonly (readonly [name: string, text: string])[]): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of files) {
    const [bytes, path] = [Buffer.from(text), Buffer.from(name)];
    const head = Buffer.alloc(26);
    head.writeUInt16LE(20, 0);
    head.writeUInt16LE(33, 8);
    head.writeUInt32LE(crc32(bytes), 10);
    head.writeUInt32LE(bytes.length, 14);
    head.writeUInt32LE(bytes.length, 18);
    head.writeUInt16LE(path.length, 22);
    locals.push(Buffer.from('PK\x03\x04'), head, path, bytes);
    const entry = Buffer.alloc(16);
    entry.writeUInt32LE(offset, 12);
    central.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), head, entry.subarray(2), path);
    offset += 4 + 26 + path.length + bytes.length;
  }
  const size = central.reduce((sum, { length }) => sum + length, 0);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(size, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, ...central, Buffer.from('PK\x05\x06'), end]);
}
