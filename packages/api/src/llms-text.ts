// /llms.txt: the API on one page of plain text, for programs that read before they write. Made from the route list.
import { ERRORS } from '@capstan/schema/error';
import type { RouteSpec } from '@capstan/schema/route';
import { ROUTES } from '@capstan/schema/routes';
import { z } from 'zod';

const INTRODUCTION = `# Capstan

> A self-hosted platform for managed agents: versioned agents, durable sessions, sandboxes, memory, vaults, schedules.
> Its HTTP API is the Managed Agents API: the official SDKs (\`@anthropic-ai/sdk\`, \`client.beta.*\`) work unchanged.

## How to call it

- Credentials: \`x-api-key: KEY\` or \`authorization: Bearer KEY\`. With the SDK: \`new Anthropic({ apiKey: KEY, baseURL: ORIGIN })\`.
- Bodies and answers are JSON. Lists answer \`{"data": [...], "next_page": cursor or null}\`; give the cursor back as \`page\`.
- Lists of values in a query are written \`statuses[]=idle&statuses[]=running\`, bounds \`created_at[gte]=2026-11-21T00:00:00Z\`.
- An update changes only the fields it has; \`null\` clears one. Metadata is merged, \`null\` deletes a key.
- An \`idempotency-key\` header makes a creation safe to repeat for 24 hours.
- Refusals are \`{"type":"error","error":{"type","message","details"?},"request_id"}\`; the message names the field and what mends it.
- Events of a session: open \`GET /v1/sessions/{session_id}/events/stream\` (server-sent events), then send with
  \`POST /v1/sessions/{session_id}/events\`. A turn ends with \`session.status_idle\`, whose \`stop_reason\` says why.
  \`Last-Event-ID\` or \`?after=\` replays what was missed.

## The shortest program

1. \`POST /v1/agents\` \`{"name":"Helper","model":"claude-sonnet-5-5","tools":[{"type":"agent_toolset_20260401"}]}\`
2. \`POST /v1/sessions\` \`{"agent":"<agent id>"}\`
3. \`POST /v1/sessions/<id>/events\` \`{"events":[{"type":"user.message","content":[{"type":"text","text":"Run: uname -a"}]}]}\`
4. \`GET /v1/sessions/<id>/events\`

The complete description, with every field: /openapi.json (OpenAPI 3.1), to read at /docs.
`;

/** Markdown; the same for every caller. */
export function llmsText(): string {
  const tags = [...new Set(ROUTES.map(({ tag }) => tag))];
  const sections = tags.map((tag) => {
    const lines = ROUTES.filter((route) => route.tag === tag).map(lineOf);
    return `## ${tag}\n\n${lines.join('\n')}\n`;
  });
  const errors = Object.values(ERRORS).map(({ status, type }) => `- ${status} \`${type}\``);
  return [INTRODUCTION, ...sections, `## Errors\n\n${[...new Set(errors)].join('\n')}\n`].join('\n');
}

function lineOf({ method, path, summary, body, query }: RouteSpec): string {
  const fields = fieldsOf(body);
  const parameters = query === undefined ? [] : Object.keys(query.shape);
  const takes = [
    ...(fields.length > 0 ? [`body: ${fields.join(', ')}`] : []),
    ...(parameters.length > 0 ? [`query: ${parameters.join(', ')}`] : []),
  ];
  const given = takes.length > 0 ? ` (${takes.join('; ')})` : '';
  return `- \`${method.toUpperCase()} ${path}\`: ${summary}${given}`;
}

/** Names of the body's fields, those that are required with a star. */
function fieldsOf(body: z.ZodType | undefined): string[] {
  if (!(body instanceof z.ZodObject)) return [];
  return Object.entries(body.shape).map(([name, field]) =>
    field instanceof z.ZodType && !field.safeParse(undefined).success ? `${name}*` : name,
  );
}
