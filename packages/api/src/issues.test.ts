import { agentRoutes, createAgent } from '@capstan/schema/agents';
import { createSession, updateSession } from '@capstan/schema/sessions';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { describeIssues } from './issues.ts';

function say(schema: z.ZodType, value: unknown): string {
  const result = schema.safeParse(value, { reportInput: true });
  return result.success ? 'fine' : describeIssues(result.error, 'body');
}

describe('describeIssues', () => {
  it('says where, what was expected and what came', () => {
    const schema = z.object({ list: z.array(z.object({ size: z.int() })) });
    expect(say(schema, { list: [{ size: 1 }, { size: 'two' }] })).toBe(
      'list.1.size: expected number, received string',
    );
    expect(say(schema, { list: [{ size: 1.5 }] })).toBe('list.0.size: expected int, received number');
    expect(say(schema, { list: [{}] })).toBe('list.0.size: required: expected number');
    expect(say(z.coerce.number(), 'ten')).toBe('body: expected number, received NaN');
    expect(say(schema, null)).toBe('body: expected object, received null');
    expect(say(schema, { list: {} })).toBe('list: expected array, received object');
  });

  it('lets the branch of a union speak that came closest', () => {
    expect(say(createAgent, { name: 'x', model: { id: 5 } })).toBe(
      'model.id: expected string, received number',
    );
    expect(say(createAgent, { name: 'x', model: { id: 'm', effort: 'extreme' } })).toBe(
      'model.effort: expected one of "low", "medium", "high", "xhigh", "max", received "extreme"',
    );
    expect(say(createAgent, { name: 'x', model: { id: 'm', effort: { type: 1 } } })).toBe(
      'model.effort.type: expected one of "low", "medium", "high", "xhigh", "max", received number',
    );
    expect(say(createAgent, { name: 'x', model: 5 })).toBe(
      'model: expected string or object, received number',
    );
    expect(say(createAgent, { name: 'x' })).toBe('model: required: expected string or object');
  });

  it('names the choices of a discriminator and what was chosen', () => {
    const tools = [{ type: 'hammer' }];
    expect(say(createAgent, { name: 'x', model: 'm', tools })).toMatch(
      /^tools\.0\.type: expected one of "agent_toolset_20260401", .*"grep".*, received "hammer"$/,
    );
    expect(say(createAgent, { name: 'x', model: 'm', tools: [{}] })).toMatch(
      /^tools\.0\.type: required: expected one of /,
    );
  });

  it('reaches into records and keeps the words of refinements', () => {
    const metadata = { good: 'yes', bad: 5, ['k'.repeat(65)]: 'long' };
    const text = say(createSession, { agent: 'agent_1', metadata });
    expect(text).toContain('metadata.bad: expected string, received number');
    expect(text).toContain(`metadata.${'k'.repeat(65)}: `);
    expect(say(createSession, {})).toMatch(/^agent: required: an agent id/);
  });

  it('keeps the words a schema chose for a value of the wrong kind', () => {
    expect(say(updateSession, { vault_ids: ['vlt_1'] })).toBe(
      'vault_ids: cannot be changed after the session was created',
    );
    expect(say(createAgent, { name: 'x', model: 'm', execution_identity: { type: 'aws_role' } })).toMatch(
      /^execution_identity\.type: only "service_account" is supported/,
    );
  });

  it('says how a date is written', () => {
    const { query } = agentRoutes.list;
    for (const at of ['yesterday', '2026-11-21', '2026-11-21T00:00:00', 5]) {
      expect(say(query, { 'created_at[gte]': at })).toMatch(
        /^created_at\[gte\]: expected a date and time with its zone, e\.g\. "2026-/,
      );
    }
  });

  it('stops after five findings and counts the rest', () => {
    const schema = z.array(z.string());
    expect(say(schema, [1, 2, 3, 4, 5, 6, 7])).toMatch(
      /^0: .*; 4: expected string, received number; and 2 more$/,
    );
  });

  it('does not repeat long values', () => {
    expect(say(z.enum(['a', 'b']), 'x'.repeat(5000))).toBe('body: expected one of "a", "b", received string');
  });
});
