// What is known to differ, by method, and how this server reads what the API's documentation leaves open.
const AGENT =
  '`execution_identity` of an AWS role is refused by name; `inference_geo` takes `us` and `global`. `capstan` holds settings of ours.';
const MODELS =
  '`capabilities` is null, and `created_at` is the day on which the figures were looked up or set.';
const WEBHOOKS =
  'Takes every event type of sessions, agents and the other resources, families such as `session.*` and `*`; names of `external_key` and `user_profile` are taken and never sent.';
const SKILLS =
  "The vendor's own skills are not here: `anthropic` names work once the installation has uploaded them.";
const PROFILES = 'One answer has the members of both namespaces of the SDK.';

export const DIFFERENCES: Readonly<Record<string, string>> = {
  'beta.agents.create': AGENT,
  'beta.agents.update': AGENT,
  'beta.sessions.create':
    'Budgets may also limit tokens and model calls. Without `environment_id` a default environment is used.',
  'beta.sessions.update': '`vault_ids` is refused: it is reserved by the API.',
  'beta.environments.work.heartbeat': 'Without `desired_ttl_seconds` a lease lasts 90 seconds.',
  'beta.environments.work.poll':
    'Interrupts are settled by the server itself: no item is queued for one. Calls of a lost worker that change something are told as outcome unknown.',
  'beta.files.download': 'Uploads made with `downloadable: true` can be downloaded, too.',
  'files.download': 'Uploads made with `downloadable: true` can be downloaded, too.',
  'beta.memoryStores.memories.create': '`content: null` is a 400; an empty memory has the content `""`.',
  'beta.memoryStores.memories.update': 'A precondition without its hash is a 400, and never ignored.',
  'beta.memoryStores.memories.list':
    'With `view=full` a page has 20 memories at most, whatever `limit` says.',
  'beta.models.list': MODELS,
  'beta.models.retrieve': MODELS,
  'models.list': MODELS,
  'models.retrieve': MODELS,
  'beta.skills.create': SKILLS,
  'skills.create': SKILLS,
  'beta.skills.versions.delete': 'The only version of a skill cannot be deleted: delete the skill.',
  'skills.versions.delete': 'The only version of a skill cannot be deleted: delete the skill.',
  'beta.organization.webhooks.create': WEBHOOKS,
  'beta.organization.webhooks.update': WEBHOOKS,
  'beta.organization.webhooks.regenerateSigningSecret':
    'Both secrets sign for 24 hours, or for `overlap_seconds`.',
  'beta.userProfiles.create': PROFILES,
  'userProfiles.create': PROFILES,
};

export const READINGS: readonly string[] = [
  'Unknown values of `anthropic-beta` and unknown request fields are ignored; a missing beta header is never a 404.',
  'A creation that may be repeated is made once: with `idempotency-key`, and where the SDK retries without one.',
  '`user.message` while a session waits for an answer is accepted and queued; the calls it waits for stay open.',
  'Sending to a session that is over is a 409 with `x-should-retry: false`.',
  'A reply to a send has `processed_at` filled where the session took the event at once.',
  'Event types and error types of ours (`session.sandbox_replaced`, `span.sandbox_boot`, `environment_image_error`) stand beside the official ones; the unions of the SDK are open.',
  'The plan of a workflow run is declarative JSON in a call of the tool `start_workflow` (docs/workflows.md). Its threads end with their step; what they came to reaches the agent as `agent.thread_message_received` from the primary thread.',
  'A step of a workflow run that fails does not fail the run: the steps after it, and the agent in the end, are told.',
  'An interrupt of the whole session stops its workflow runs (`stopped`); one of a thread does not.',
  'A plan that is refused is told as `workflow_run.error` of type `program_error` without a run, too.',
  'While a workflow run is open, `agent` of its session and the archiving of its threads are refused (`workflow_run_open`); other threads can be archived.',
  'Workflow runs of one session have 64 threads at work together; further steps wait.',
  'A question to an advisor shows in the asking thread as `agent.thread_message_sent`, before the advice.',
  'A deleted agent keeps its sessions; its deployments are archived.',
  'A credential for `unrestricted` hosts goes to every host that the network of the environment lets through, and the cap of 20 counts those that are not archived.',
  'A null secret in the update of a credential keeps the stored one.',
  'A second memory store of the same name is mounted with `-2` behind its place.',
  'Of memory versions the latest ten of a memory are always kept, the others for 30 days.',
  '`session.pending` is taken as the second name of `session.status_rescheduled` in filters of webhooks; an event with two names is delivered once.',
  'Fire times of deployments are literal wall clock: skipped in spring where the hour does not exist, twice in autumn.',
  'A run of a deployment that waits for an answer has not ended: nothing is announced until it does.',
  'Under the permission policy `auto` calls are judged by the model of the agent itself; what has no plain verdict is asked about, and where the budget has no room for a judgement the call is denied (`indeterminate`).',
  'A budget may be added to a session that was made without one, and set again after it was removed.',
  'A budget equal to the current one changes nothing; another that is not above what was used is a 400.',
  'A turn whose last call passes the budget ends with `end_turn`; `budget_reached` comes when more work was due.',
  'In a self-hosted environment an interrupt closes the open calls at once with an error as their result; nothing is queued for it.',
  'Mount paths of files below `/workspace/` are kept there; others are rooted at `/mnt/session/uploads`.',
  'Explicit null for a member that the SDK types as never null is a 400 that names it.',
  'MCP tools for which there is no place (more than 128) are told of as `mcp_connection_failed_error`.',
  'A deployment that is archived with its agent reads `active` with `archived_at` set.',
  'More than sixteen changes of one resource at the same moment may be told to come again (503 with `retry-after`).',
];
