// Every failpoint a story can reach, by name; apps/agent/src/failpoints.ts says what they are around.
const APPENDS = [
  'user.message',
  'user.interrupt',
  'user.tool_confirmation',
  'user.custom_tool_result',
  'agent.tool_use',
  'agent.tool_result',
  'session.status_running',
  'session.status_idle',
  'session.status_rescheduled',
  'session.status_terminated',
  'session.deleted',
] as const;
const CALLS = [
  'log.lines',
  'log.answered',
  'index.put',
  'index.remove',
  'tool.perform',
  'tool.recover',
  'tool.cancel',
  'release',
  'erase',
  'sandbox.create',
  'sandbox.status',
  'sandbox.start_run',
  'sandbox.read_run',
  'sandbox.kill_run',
  'sandbox.terminate',
] as const;
const MOMENTS = [
  'model.call',
  'model.first_part',
  'model.middle',
  'model.end',
  'alarm.arm',
  'alarm.disarm',
  'alarm.ring',
] as const;

const around = (name: string) => [`${name}:before`, `${name}:after`];

/** Where a mistake would lose something or do it twice. */
export const CRITICAL: readonly string[] = [
  ...APPENDS.map((type) => `append.${type}`),
  'tool.perform',
  'sandbox.start_run',
].flatMap(around);

const OTHERS = CALLS.filter((name) => !CRITICAL.includes(`${name}:before`));

export const FAILPOINTS: readonly string[] = [...OTHERS.flatMap(around), ...MOMENTS, ...CRITICAL];
