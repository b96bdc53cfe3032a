// What tells the programs of a build about the proxy they fetch through.

/** Throws TypeError when it is no proxy's URL. Nothing without one: such builds have no network. */
export function proxyVariables(url: string | undefined): Record<string, string> {
  if (url === undefined) return {};
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new TypeError('buildProxy cannot be read: it must be http://name:token@host:port');
  const here = 'localhost,127.0.0.1,::1';
  return {
    ...both('http_proxy', url),
    ...both('https_proxy', url),
    ...both('no_proxy', here),
    // Node reads the variables above only when it is told to.
    NODE_USE_ENV_PROXY: '1',
  };
}

function both(name: string, value: string): Record<string, string> {
  return { [name]: value, [name.toUpperCase()]: value };
}
