// A Worker whose objects are a session's log and nothing else. Questions and answers are JSON, refusals among them: the
// proxy a test talks to Workers through loses some of them.
import { DurableObject } from 'cloudflare:workers';
import type { EventLog } from '@capstan/session/ports';
import { migrate } from '@capstan/session/sql';
import { SqlLog } from '@capstan/session/sql-log';
import eventsTable from '../../../../migrations/session-do/0001_events.sql';
import receiptsTable from '../../../../migrations/session-do/0002_receipts.sql';
import threadsTables from '../../../../migrations/session-do/0003_threads.sql';
import { toSql } from '../storage.ts';

interface Env {
  STAGES: DurableObjectNamespace<LogStage>;
}

export interface Question {
  session: string;
  method: keyof EventLog | 'abort';
  args: unknown[];
}

export interface Refusal {
  name: string;
  message: string;
  code?: string;
}

export type Reply = { value: unknown } | { refusal: Refusal };

export class LogStage extends DurableObject<Env> {
  #log: SqlLog;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const sql = toSql(ctx.storage);
    migrate(sql, [eventsTable, receiptsTable, threadsTables]);
    this.#log = new SqlLog(sql);
  }

  /** JSON; null: nothing. */
  async ask({ method, args }: Question): Promise<string> {
    // The object is put out of memory: what it stored is all that is left of it.
    const { ctx } = this;
    const value =
      method === 'abort' ? ctx.abort('asked to') : await Reflect.apply(this.#log[method], this.#log, args);
    return JSON.stringify(value ?? null);
  }
}

export default {
  async fetch(request, env): Promise<Response> {
    const question = await request.json<Question>();
    const stage = env.STAGES.getByName(question.session);
    const reply: Reply = await stage.ask(question).then(
      (value) => ({ value: JSON.parse(value) }),
      ({ name, message, code }: Refusal) => ({ refusal: { name, message, code } }),
    );
    return Response.json(reply);
  },
} satisfies ExportedHandler<Env>;
