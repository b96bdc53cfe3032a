// What a run against Modal itself lacks.

/** One line that says what to set, or null when nothing is missing. */
export function liveProblem(env: Readonly<Record<string, string | undefined>>): string | null {
  if (env.MODAL_LIVE !== '1')
    return 'it uses a Modal workspace and costs money; set MODAL_LIVE=1 to say that you want it';
  const missing = ['MODAL_TOKEN_ID', 'MODAL_TOKEN_SECRET'].filter((name) => !env[name]);
  if (missing.length > 0) return `${missing.join(' and ')} missing; make a token with \`modal token new\``;
  if (env.MODAL_SERVER_URL) return 'MODAL_SERVER_URL is set, so this would not be Modal itself; unset it';
  return null;
}
