// What is kept of an endpoint's answer: a few characters on one line, for its owner to see what went wrong.
const MAX_CHARS = 200;
const REMOVED = '[removed]';

/** What looks like a secret: named ones, keys by their prefix, and long runs without a word in them. */
const SECRETS = [
  /\b(authorization|cookie|set-cookie|password|passwd|secret|token|api[_-]?key|credential)s?\b["']?\s*[:=]\s*["']?(?:bearer\s+|basic\s+)?[^\s"',;&<>]+/gi,
  /\b(?:bearer|basic)\s+[^\s"',;<>]+/gi,
  /\b(?:sk|pk|rk|whsec|ghp|gho|ghs|github_pat|xox[abps]|AKIA|ya29|eyJ)[-_.A-Za-z0-9+/=]{6,}/g,
  /[A-Za-z0-9_+/=-]{32,}/g,
];

export function excerptOf(text: string): string | null {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  const scrubbed = SECRETS.reduce((rest, pattern) => rest.replaceAll(pattern, REMOVED), line);
  return scrubbed === '' ? null : [...scrubbed].slice(0, MAX_CHARS).join('');
}
