// Health: asks every backend, each within a deadline, and says of each that fails what mends it.
import { tenantCount } from '@capstan/db/tenants';
import { ERRORS } from '@capstan/schema/error';
import { type BackendHealth, healthRoutes } from '@capstan/schema/health';
import { mount } from './mount.ts';
import type { ApiPorts } from './ports.ts';
import type { Surface } from './surface.ts';

const DEADLINE_MS = 5_000;

type Backends = Record<string, BackendHealth>;

interface Question {
  name: string;
  answer(): Promise<Backends>;
  fix: string;
}

export function mountHealth(surface: Surface): void {
  const { ports } = surface;
  const questions = questionsTo(ports);
  mount(surface, healthRoutes.check, async ({ head }) => {
    const answers = await Promise.all(questions.map((question) => ask(question, DEADLINE_MS)));
    const backends: Backends = Object.assign({}, ...answers);
    const ok = Object.values(backends).every((backend) => backend.status === 'ok');
    if (!ok) head.status = ERRORS[healthRoutes.check.failing].status;
    return { status: ok ? ('ok' as const) : ('failed' as const), version: ports.version, backends };
  });
}

function questionsTo({ db, blobs, sessions, jobs }: ApiPorts): Question[] {
  const database = async (): Promise<Backends> => {
    const count = await tenantCount(db);
    return { database: { status: 'ok', detail: `${count} tenant${count === 1 ? '' : 's'}` } };
  };
  return [
    {
      name: 'database',
      answer: database,
      fix: 'pnpm wrangler d1 migrations apply DB -c apps/main/wrangler.jsonc',
    },
    { name: 'blobs', answer: () => blobs.health(), fix: 'pnpm wrangler r2 bucket create capstan-blobs' },
    {
      name: 'agent',
      answer: () => sessions.health(),
      fix: 'pnpm wrangler deploy -c apps/agent/wrangler.jsonc',
    },
    { name: 'jobs', answer: () => jobs.health(), fix: 'pnpm wrangler deploy -c apps/jobs/wrangler.jsonc' },
  ];
}

/** What the backend says of itself; one that throws or takes longer than `deadlineMs` has failed. */
export async function ask({ name, answer, fix }: Question, deadlineMs: number): Promise<Backends> {
  const deadline = Promise.withResolvers<Backends>();
  const timer = setTimeout(() => deadline.reject(new Error(`no answer in ${deadlineMs} ms`)), deadlineMs);
  try {
    return await Promise.race([answer(), deadline.promise]);
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : 'no answer';
    return { [name]: { status: 'failed', problem, fix } };
  } finally {
    clearTimeout(timer);
  }
}
