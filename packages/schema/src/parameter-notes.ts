// What a parameter of a path or query means, as the API reference says it. A name means the same on every route.
export type ParameterPlace = 'path' | 'query' | 'header';

/** Undefined: nothing is said of it. */
export function parameterNote(place: ParameterPlace, name: string): string | undefined {
  if (place === 'query') return QUERY[name];
  if (place === 'header') return HEADERS[name];
  const noun = /^(\w+)_id$/.exec(name)?.[1];
  return noun === undefined ? PATH[name] : `The id of the ${noun.replaceAll('_', ' ')}.`;
}

const HEADERS: Readonly<Record<string, string>> = {
  'idempotency-key':
    'A name for this request: when it is repeated within 24 hours, the same answer comes and nothing is made.',
  'if-match': 'Only if the content is still the one with this `etag`.',
  'if-none-match':
    'Only if the content is another than the one with this `etag`; otherwise the answer is 304.',
  'if-range': 'The piece only if the content is still the one with this `etag`; otherwise the whole.',
  range:
    'The piece of the content that is wanted, in bytes from 0: `bytes=0-99`, `bytes=100-`, `bytes=-100`.',
};

const PATH: Readonly<Record<string, string>> = {
  version: 'The id of the version; `latest` where it is only read.',
};

const QUERY: Readonly<Record<string, string>> = {
  after: 'Begin after the event with this number, as `id` of the stream has it; 0 begins with the first.',
  after_id: 'Begin after the one with this id, as `last_id` of the page before.',
  agent_id: 'Only those of this agent.',
  agent_version: 'Only those of this version of their agent.',
  api_key_id: 'Only those that were made with this API key.',
  before_id: 'End before the one with this id, as `first_id` of the page after.',
  block_ms: 'How long to wait for work when there is none, in milliseconds; absent: not at all.',
  'created_at[gt]': 'Only those made after this time.',
  'created_at[gte]': 'Only those made at this time or later.',
  'created_at[lt]': 'Only those made before this time.',
  'created_at[lte]': 'Only those made at this time or earlier.',
  deployment_id: 'Only those of this deployment.',
  depth: '1: what lies deeper is told as the prefix it has in common. 0: all of it is listed.',
  desired_ttl_seconds: 'How long the lease is to last from now on, in seconds; absent: 90.',
  enforcement_status: 'Only those with one of these states.',
  event_deltas: 'Messages of these types are also told of piece by piece, while they are written.',
  expected_content_sha256:
    'Only if the content has this SHA-256, in lower-case hexadecimal digits; otherwise nothing is deleted.',
  expected_last_heartbeat:
    'The `last_heartbeat` of the answer before, exactly; `NO_HEARTBEAT` for the first. Who names another has lost the lease.',
  from: 'From then on; absent: from the first call.',
  group_by: 'What the sums are of.',
  has_error: '`true`: only runs that failed. `false`: only those that made a session.',
  ids: 'Only these, on one page, whatever their order; unknown ones are left out. Not with `page` or `limit`.',
  include_archived: 'List archived ones, too.',
  lifecycle: 'Only models in one of these states.',
  limit: 'How many a page has at most.',
  memory_id: 'Only those of this memory.',
  memory_store_id: 'Only those that this memory store is attached to.',
  operation: 'Only those of this change.',
  order: '`desc`: the newest first. `asc`: the oldest first.',
  order_by: 'What the order is by.',
  page: 'The `next_page` of the answer before, with the same `order`.',
  path: 'A path in the sandbox.',
  path_prefix: 'Only memories below this path, which ends with `/`.',
  reclaim_older_than_ms:
    'Work that was given to a poll so long ago and not acknowledged is given anew, in milliseconds; absent: 5000.',
  scope_id: 'Only what the agents of this session left in /mnt/session/outputs.',
  service_account_id: 'Only those that were made by this service account; there are none here.',
  session_id: 'Only those of this session.',
  source: 'Only skills of this source.',
  status: 'Only those with this status.',
  statuses: 'Only those with one of these statuses.',
  to: 'Until before then; absent: to the last call.',
  trigger_type: 'Only runs that were started so.',
  types: 'Only events of these types.',
  version: 'The version to be read; absent: the latest.',
  view: '`full`: with contents. `basic`: without.',
};
