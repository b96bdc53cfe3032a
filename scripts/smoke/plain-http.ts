// Plain HTTP, as `curl` speaks it: one key in a header, JSON in and out, server-sent events.
export type Target = { url: string; apiKey: string };
export type Answer = { status: number; headers: Headers; body: unknown };
export type Frame = { event?: string; id?: string; data: unknown };

export async function call(target: Target, request: string, body?: unknown): Promise<Answer> {
  const [method, path] = request.split(' ');
  const response = await fetch(`${target.url}${path}`, {
    method,
    headers: { 'x-api-key': target.apiKey, 'content-type': 'application/json' },
    body: typeof body === 'string' || body === undefined ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: parsed(text) };
}

/** Frames of a stream until `last` says that one was the last; throws after `withinMs`. */
export async function framesUntil(
  target: Target,
  path: string,
  { last, withinMs }: { last: (frame: Frame) => boolean; withinMs: number },
): Promise<Frame[]> {
  const signal = AbortSignal.timeout(withinMs);
  const response = await fetch(`${target.url}${path}`, { headers: { 'x-api-key': target.apiKey }, signal });
  if (!response.ok || response.body === null) throw new Error(`GET ${path} answered ${response.status}`);
  const frames: Frame[] = [];
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const frame = frameOf(part);
      if (frame === undefined) continue;
      frames.push(frame);
      if (last(frame)) return frames;
    }
  }
  throw new Error(`the stream ended after ${frames.length} events`);
}

/** The value at a path of names and indexes, or undefined. */
export function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((found, name) => {
    if (typeof found !== 'object' || found === null) return undefined;
    return new Map<string, unknown>(Object.entries(found)).get(String(name));
  }, value);
}

export function textAt(value: unknown, ...path: (string | number)[]): string {
  const found = at(value, ...path);
  if (typeof found === 'string') return found;
  throw new Error(`no text at ${path.join('.')} in ${JSON.stringify(value)}`);
}

function frameOf(text: string): Frame | undefined {
  const fields = text.split('\n').filter((line) => !line.startsWith(':'));
  // The last one counts, as the SSE specification has it: a stream says its own place first, the frame then says its.
  const field = (name: string) =>
    fields.findLast((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const data = field('data');
  return data === undefined ? undefined : { event: field('event'), id: field('id'), data: parsed(data) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
