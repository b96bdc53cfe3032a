// Failpoints: named moments around every call of a port, at which a crash test may kill a process.
// F1. Without an address, outside development, or at an address beyond this machine there are none: ports stay as they are.
// F2. A moment is asked about, and gone past once it is answered; a server that does not answer holds nothing up.

/** Resolves when the work may go on. `told`: the types of the events that an append writes. */
export type Reach = (point: string, told?: readonly string[]) => Promise<void>;

export interface FailpointSettings {
  environment: string | undefined;
  /** Where they are asked about: POST {point, session, told}. */
  url: string | undefined;
  /** Whose moments they are: a session, or the deployment, endpoint or dream of a clock. */
  subject: string;
}

/** Null: there are no failpoints. */
export function openFailpoints({ environment, url, subject }: FailpointSettings): Reach | null {
  if (url === undefined || environment !== 'development' || !isLoopback(url)) return null;
  return async (point, told = []) => {
    const body = JSON.stringify({ point, session: subject, told });
    // Whoever asked for failpoints may be gone before the platform is.
    await fetch(url, { method: 'POST', body }).then(
      (answer) => answer.body?.cancel(),
      () => undefined,
    );
  };
}

export interface Moment {
  name: string;
  told?: readonly string[];
}

export type Naming = string | ((args: readonly unknown[]) => Moment);

/** The same port, with a moment before and one after each call of the named methods; all of them answer with a promise. */
export function marked<P extends object>(port: P, names: { [K in keyof P]?: Naming }, reach: Reach): P {
  const naming = new Map<PropertyKey, Naming>(Object.entries(names));
  return new Proxy(port, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      const call = (...args: unknown[]): unknown => Reflect.apply(value, target, args);
      const name = naming.get(key);
      if (name === undefined) return call;
      return (...args: unknown[]) =>
        around(typeof name === 'string' ? name : name(args), reach, () => call(...args))();
    },
  });
}

export function around<T>(
  moment: string | Moment,
  reach: Reach,
  work: () => T | Promise<T>,
): () => Promise<T> {
  const { name, told } = typeof moment === 'string' ? { name: moment, told: undefined } : moment;
  return async () => {
    await reach(`${name}:before`, told);
    const result = await work();
    await reach(`${name}:after`, told);
    return result;
  };
}

function isLoopback(url: string): boolean {
  return URL.canParse(url) && ['127.0.0.1', '[::1]', 'localhost'].includes(new URL(url).hostname);
}
