// Event order of one turn, as the Managed Agents API promises it.
const MODEL_REQUEST =
  'span\\.model_request_start (?:agent\\.(?:thinking|message|tool_use) )*span\\.model_request_end (?:agent\\.tool_result )*';
const TURN = new RegExp(
  `^(?:user\\.message )+session\\.status_running session\\.thread_status_running (?:${MODEL_REQUEST})+` +
    'session\\.thread_status_idle session\\.usage session\\.status_idle $',
);

/** Throws an Error that shows the order found when it is not that of a finished turn. Unnamed types are left aside. */
export function assertTurnOrder(types: string[]): void {
  const known = types.filter((type) =>
    /^(user\.message|session\.(status|thread_status|usage)|agent\.|span\.model_request)/.test(type),
  );
  if (!TURN.test(known.map((type) => `${type} `).join('')))
    throw new Error(`events out of order: ${known.join(', ')}`);
}
