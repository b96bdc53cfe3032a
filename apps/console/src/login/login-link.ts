// The one-time code of a sign-in link (`/login#code=…`). It is taken out of the address bar before it is used,
// so that it stays neither in the history nor on a screen somebody shares.
let code = take();

addEventListener('hashchange', () => {
  const next = take();
  if (next === null) return;
  code = next;
  arrivals.dispatchEvent(new Event('change'));
});

/** Fires when a link is opened while the Console is already loaded. */
export const arrivals = new EventTarget();

/** The code, once. */
export function takeCode(): string | null {
  const taken = code;
  code = null;
  return taken;
}

function take(): string | null {
  if (location.pathname !== '/login' || !location.hash.startsWith('#code=')) return null;
  const value = new URLSearchParams(location.hash.slice(1)).get('code');
  history.replaceState(history.state, '', location.pathname + location.search);
  return value === null || value === '' ? null : value;
}
