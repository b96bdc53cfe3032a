// The API as a shell script has it: the curl of this machine.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const exec = promisify(execFile);

export interface CurlAnswer {
  status: number;
  body: unknown;
}

/** `path` is relative to `at.url`; without `body` it is a GET. */
export async function curl(
  at: { url: string; apiKey: string },
  path: string,
  body?: object,
): Promise<CurlAnswer> {
  const { stdout } = await exec('curl', [
    '--silent',
    '--show-error',
    '--max-time',
    '30',
    '--write-out',
    '\n%{http_code}',
    '--header',
    `x-api-key: ${at.apiKey}`,
    ...(body === undefined
      ? []
      : ['--header', 'content-type: application/json', '--data-raw', JSON.stringify(body)]),
    `${at.url}${path}`,
  ]);
  const end = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(end + 1)), body: JSON.parse(stdout.slice(0, end)) };
}
