// Runs before the first paint, so that a chosen theme never flashes the other one. Its own file: the CSP allows no inline script.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem('capstan.theme');
  } catch {
    // Storage may be forbidden: the system's preference then decides.
  }
  const dark =
    chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.mode = dark ? 'dark' : 'light';
})();
