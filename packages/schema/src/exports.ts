// Exports: a session as JSON lines, enough to replay it without a network. The first line is the session, each other a log row.
import { z } from 'zod';
import { agentSnapshot } from './agents.ts';
import { budget } from './budgets.ts';
import { environment } from './environments.ts';
import { eventParam } from './events/user-events.ts';
import { sessionEvent } from './events.ts';
import { idSchema } from './ids.ts';
import { metadata } from './metadata.ts';

/** A session as it was created. */
export const exportedSession = z
  .object({
    type: z.literal('session'),
    id: idSchema('session'),
    /** The primary thread. */
    thread_id: idSchema('thread'),
    agent: agentSnapshot,
    environment: environment.shape.config,
    title: z.string().nullable(),
    metadata,
    budget: budget.nullable(),
    initial_events: z.array(eventParam),
    forked_from: z.object({ session_id: idSchema('session'), event_id: idSchema('event') }).nullable(),
  })
  .meta({ id: 'ExportedSession' });
export type ExportedSession = z.infer<typeof exportedSession>;

/** One row of the log. An event that waited for the agent has two: as it was accepted, and as it was taken. */
export const exportedEvent = z
  .object({
    seq: z.int().min(1),
    event: sessionEvent,
    /** What only the engine reads. */
    note: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'ExportedEvent' });
export type ExportedEvent = z.infer<typeof exportedEvent>;

export const exportLine = z.union([exportedSession, exportedEvent]);
