import Anthropic, { toFile } from '@anthropic-ai/sdk';
import { blobDebts } from '@capstan/db/tables/files';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

let world: World;
let client: Anthropic;
let stranger: Anthropic;

beforeAll(async () => {
  world = await openWorld();
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  stranger = new Anthropic({ apiKey: world.strangerKey, baseURL: world.url, maxRetries: 0 });
});
afterAll(() => world.close());

const betas = ['files-api-2025-04-14', 'managed-agents-2026-04-01'];
const upload = (name: string, text = 'content') =>
  toFile(Buffer.from(text), name).then((file) => client.beta.files.upload({ file }));

interface Answer {
  id: string;
  filename?: string;
  size_bytes: number;
  error?: { message: string };
}

/** A form with our own parts, as any client sends it. */
async function send(parts: [string, string | File][], headers: Record<string, string> = {}) {
  const form = new FormData();
  for (const [name, value] of parts) form.append(name, value);
  const response = await world.fetch('/v1/files', {
    method: 'POST',
    headers: { 'x-api-key': world.key, ...headers },
    body: form,
  });
  const body: Answer = await response.json();
  return { status: response.status, headers: response.headers, body };
}

const readable = (bytes: Uint8Array<ArrayBuffer> | string, name = 'a.bin') =>
  send([
    ['downloadable', 'true'],
    ['file', new File([bytes], name)],
  ]);

const get = (id: string, headers: Record<string, string> = {}) =>
  world.fetch(`/v1/files/${id}/content`, { headers: { 'x-api-key': world.key, ...headers } });

describe('files through the official SDK', () => {
  it('are uploaded, retrieved, listed and deleted', async () => {
    const file = await client.beta.files.upload({
      file: await toFile(Buffer.from('{}'), 'data.json', { type: 'application/json' }),
      betas,
    });
    expect(file).toEqual({
      id: expect.stringMatching(/^file_[0-9a-z]{24}$/),
      type: 'file',
      filename: 'data.json',
      mime_type: 'application/json',
      size_bytes: 2,
      created_at: expect.any(String),
      downloadable: false,
      expires_at: null,
      scope: null,
    });
    expect(await client.beta.files.retrieveMetadata(file.id)).toEqual(file);
    const listed = await client.beta.files.list({ limit: 5, betas });
    expect(listed.data).toContainEqual(file);
    await expect(stranger.beta.files.retrieveMetadata(file.id)).rejects.toMatchObject({ status: 404 });
    await expect(stranger.beta.files.delete(file.id)).rejects.toMatchObject({ status: 404 });
    expect(await client.beta.files.delete(file.id)).toEqual({ id: file.id, type: 'file_deleted' });
    await expect(client.beta.files.retrieveMetadata(file.id)).rejects.toMatchObject({ status: 404 });
    await expect(client.beta.files.delete(file.id)).rejects.toMatchObject({ status: 404 });
  });

  it('work the same outside the beta namespace', async () => {
    const file = await client.files.upload({ file: await toFile(Buffer.from('x'), 'plain.txt') });
    expect(await client.files.retrieveMetadata(file.id)).toMatchObject({ mime_type: 'text/plain' });
    expect((await client.files.list({ ids: [file.id] })).data.map(({ id }) => id)).toEqual([file.id]);
    expect(await client.files.delete(file.id)).toMatchObject({ type: 'file_deleted' });
  });

  it('are for agents to read: an upload is not given back', async () => {
    const file = await upload('secret.txt');
    await expect(client.beta.files.download(file.id)).rejects.toMatchObject({
      status: 400,
      errorCode: 'file_not_downloadable',
    });
  });

  it('expire when they were told to', async () => {
    const file = await client.beta.files.upload({
      file: await toFile(Buffer.from('x'), 'brief.txt'),
      expires_in_seconds: 3_600,
    });
    const lifetime = Date.parse(file.expires_at ?? '') - Date.parse(file.created_at);
    expect(lifetime).toBe(3_600_000);
    await world.db.run(`UPDATE files SET expires_at = 1 WHERE id = '${file.id}'`);
    await expect(client.beta.files.download(file.id)).rejects.toMatchObject({
      status: 404,
      errorCode: 'file_expired',
    });
    for (const expires_in_seconds of [3_599, 7_776_001, 3_600.5]) {
      const refused = client.beta.files.upload({
        file: await toFile(Buffer.from('x'), 'x'),
        expires_in_seconds,
      });
      await expect(refused).rejects.toMatchObject({
        status: 400,
        apiMessage: expect.stringMatching(/^expires_in_seconds: /),
      });
    }
  });
});

describe('a list of files', () => {
  it('is paged in both styles, in either order, and a cursor is of its order only', async () => {
    const made: string[] = [];
    for (const name of ['1', '2', '3', '4', '5']) made.unshift((await upload(name)).id);
    const seen: string[] = [];
    for await (const { id } of client.beta.files.list({ limit: 2 })) seen.push(id);
    expect(seen.slice(0, 5)).toEqual(made);
    const page = async (query: string) => {
      const response = await world.fetch(`/v1/files?${query}`, { headers: { 'x-api-key': world.key } });
      const { data, ...rest }: { data?: { id: string }[]; next_page?: string } = await response.json();
      return { status: response.status, ids: data?.map(({ id }) => id), ...rest };
    };
    const [five, four, three, two, one] = made;
    expect(await page(`after_id=${five}&limit=2`)).toMatchObject({
      ids: [four, three],
      first_id: four,
      last_id: three,
      has_more: true,
    });
    expect(await page(`before_id=${two}&limit=2`)).toMatchObject({ ids: [four, three], has_more: true });
    expect(await page(`before_id=${four}&limit=2`)).toMatchObject({ ids: [five], has_more: false });
    expect(await page(`order=asc&after_id=${two}&limit=2`)).toMatchObject({ ids: [three, four] });
    const { next_page } = await page('limit=2');
    expect(await page(`limit=2&page=${next_page}`)).toMatchObject({ ids: [three, two] });
    expect(await page(`limit=2&order=asc&page=${next_page}`)).toMatchObject({ status: 400 });
    expect(await page('after_id=none')).toMatchObject({ status: 400 });
    expect(await page(`page=${next_page}&after_id=${one}`)).toMatchObject({ status: 400 });
    expect(await page(`ids[]=${one}&ids[]=${five}&ids[]=${one}&ids[]=file_none`)).toMatchObject({
      ids: [five, one],
      next_page: null,
      has_more: false,
    });
    expect(await page(`ids[]=${one}&limit=2`)).toMatchObject({ status: 400 });
    const many = Array.from({ length: 101 }, (_, index) => `ids[]=file_${index}`).join('&');
    expect(await page(many)).toMatchObject({ status: 400 });
    expect(await page('ids=')).toMatchObject({ status: 200 });
    expect(await page('scope_id=sesn_none')).toMatchObject({ ids: [], next_page: null });
  });
});

describe('an upload', () => {
  it('keeps the last component of its name, and gives the nameless one', async () => {
    const nameOf = async (name: string, type?: string) => {
      const { body } = await send([['file', new File(['x'], name, type === undefined ? {} : { type })]]);
      return body.filename ?? body.error?.message;
    };
    expect(await nameOf('../dir/a b.txt')).toBe('a b.txt');
    expect(await nameOf('C:\\dir\\naïve "1".txt')).toBe('naïve "1".txt');
    expect(await nameOf('', 'application/pdf')).toBe('unnamed.pdf');
    expect(await nameOf('dir/', 'image/png')).toBe('unnamed.png');
    expect(await nameOf('..')).toMatch(/^file: \.\. is not a filename/);
    expect(await nameOf('x'.repeat(256))).toMatch(/longer than 255/);
    expect(await nameOf('a\nb')).toMatch(/control characters/);
  });

  it('is refused with the reason when it is none', async () => {
    const file = new File(['x'], 'a.txt');
    expect(await send([['other', 'x']])).toMatchObject({
      status: 400,
      body: { error: { message: 'file: required' } },
    });
    expect(await send([['file', 'text']])).toMatchObject({ status: 400 });
    expect(
      await send([
        ['file', file],
        ['file', file],
      ]),
    ).toMatchObject({ status: 400 });
    expect(await send([['file', new File(['x'], 'a', { type: 'nonsense' })]])).toMatchObject({ status: 400 });
    const json = await world.fetch('/v1/files', {
      method: 'POST',
      headers: { 'x-api-key': world.key, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(json.status).toBe(415);
    expect(await json.json()).toMatchObject({
      error: { message: expect.stringContaining('application/json') },
    });
    expect(await world.db.$count(blobDebts)).toBe(0);
  });

  it('is done once for each key, whatever boundary it comes with', async () => {
    const key = { 'idempotency-key': 'one upload' };
    const file = new File(['x'], 'once.txt');
    const first = await send([['file', file]], key);
    const second = await send([['file', file]], key);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    expect(await send([['file', new File(['y'], 'once.txt')]], key)).toMatchObject({ status: 422 });
    const retry = { 'x-stainless-retry-count': '1' };
    const again = await send([['file', new File(['z'], 'again.txt')]], { 'x-stainless-retry-count': '0' });
    expect(await send([['file', new File(['z'], 'again.txt')]], retry)).toMatchObject({ body: again.body });
  });
});

describe('a download', () => {
  it('is the file, as a file', async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(40_000));
    const { body } = await readable(bytes, 'naïve.html');
    const response = await get(body.id);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html');
    expect(response.headers.get('content-disposition')).toBe(
      `attachment; filename="na_ve.html"; filename*=UTF-8''na%C3%AFve.html`,
    );
    expect(response.headers.get('content-security-policy')).toBe(
      "default-src 'none'; frame-ancestors 'none'",
    );
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
    const through = await client.beta.files.download(body.id);
    expect((await through.arrayBuffer()).byteLength).toBe(40_000);
  });

  it('gives ranges, and nothing to whoever has it already', async () => {
    const { body } = await readable('0123456789');
    const etag = (await get(body.id)).headers.get('etag') ?? '';
    const part = async (range: string, more: Record<string, string> = {}) => {
      const response = await get(body.id, { range, ...more });
      return [response.status, response.headers.get('content-range'), await response.text()];
    };
    expect(await part('bytes=2-4')).toEqual([206, 'bytes 2-4/10', '234']);
    expect(await part('bytes=7-')).toEqual([206, 'bytes 7-9/10', '789']);
    expect(await part('bytes=-3')).toEqual([206, 'bytes 7-9/10', '789']);
    expect(await part('bytes=-30')).toEqual([206, 'bytes 0-9/10', '0123456789']);
    expect(await part('bytes=5-500')).toEqual([206, 'bytes 5-9/10', '56789']);
    expect((await part('bytes=10-'))[0]).toBe(416);
    expect((await part('bytes=-0'))[0]).toBe(416);
    for (const whole of ['bytes=4-2', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=-'])
      expect(await part(whole)).toEqual([200, null, '0123456789']);
    expect(await part('bytes=2-4', { 'if-range': etag })).toEqual([206, 'bytes 2-4/10', '234']);
    expect(await part('bytes=2-4', { 'if-range': '"other"' })).toEqual([200, null, '0123456789']);
    expect((await get(body.id, { 'if-match': '"other"' })).status).toBe(412);
    expect(await part('bytes=2-4', { 'if-match': `"other", ${etag}` })).toEqual([206, 'bytes 2-4/10', '234']);
    expect((await get(body.id, { 'if-none-match': `"x", W/${etag}` })).status).toBe(304);
  });

  it('gives a text as it is, with its length, to whoever would take it packed', async () => {
    const { body } = await readable('text '.repeat(100), 'a.txt');
    const headers = { 'x-api-key': world.key, 'accept-encoding': 'gzip, br' };
    const response = await fetch(`${world.url}/v1/files/${body.id}/content`, { headers });
    expect(response.headers.get('content-type')).toBe('text/plain');
    expect(response.headers.get('content-length')).toBe('500');
    expect(await response.text()).toHaveLength(500);
  });

  it('gives back what was uploaded when it is larger than one piece, and when it is empty', async () => {
    for (const size of [0, 8 * 1024 * 1024, 21 * 1024 * 1024 + 7]) {
      const bytes = new Uint8Array(size);
      for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
      const { body } = await readable(bytes);
      expect(body.size_bytes).toBe(size);
      const back = new Uint8Array(await (await get(body.id)).arrayBuffer());
      expect(Buffer.from(back).equals(bytes), String(size)).toBe(true);
      const middle = await get(body.id, { range: `bytes=${size >> 1}-${(size >> 1) + 9}` });
      if (size > 0)
        expect(Buffer.from(await middle.arrayBuffer())).toEqual(
          Buffer.from(bytes.subarray(size >> 1, (size >> 1) + 10)),
        );
    }
  });

  it('is gone with its file', async () => {
    const { body } = await readable('bytes');
    const { blob } = (
      await world.db.all<{ blob: string }>(`SELECT blob FROM files WHERE id = '${body.id}'`)
    )[0] ?? { blob: '' };
    expect(await world.blobs.head(blob)).not.toBeNull();
    await client.beta.files.delete(body.id);
    expect(await world.blobs.head(blob)).toBeNull();
    expect((await get(body.id)).status).toBe(404);
  });
});

describe('events that name files', () => {
  const uploadAs = async (name: string, type: string, text = 'content') =>
    (await client.beta.files.upload({ file: await toFile(Buffer.from(text), name, { type }) })).id;

  it('are taken when a model can be shown the file, and refused with the reason when not', async () => {
    const agent = await client.beta.agents.create({ name: 'Reader', model: 'some-model' });
    const { id: environment_id } = await client.beta.environments.create({ name: 'Open' });
    const session = await client.beta.sessions.create({ agent: agent.id, environment_id });
    const send = (type: 'image' | 'document', file_id: string) =>
      client.beta.sessions.events.send(session.id, {
        events: [{ type: 'user.message', content: [{ type, source: { type: 'file', file_id } }] }],
      });
    const refused = (message: RegExp) => ({ status: 400, apiMessage: expect.stringMatching(message) });
    const png = await uploadAs('a.png', 'image/png');
    const text = await uploadAs('a.md', 'text/markdown');
    const zip = await uploadAs('a.zip', 'application/zip');
    const sent = await send('image', png);
    expect(sent.data?.[0]).toMatchObject({ content: [{ source: { type: 'file', file_id: png } }] });
    await send('document', text);
    await expect(send('image', text)).rejects.toMatchObject(
      refused(/^events\.0\.content\.0\.source\.file_id: .* is of type text\/markdown/),
    );
    await expect(send('document', zip)).rejects.toMatchObject(refused(/a document is PDF or text/));
    await expect(send('image', 'file_none')).rejects.toMatchObject(refused(/no file file_none/));
    const long = await uploadAs('long.txt', 'text/plain', 'x'.repeat(300_000));
    await expect(send('document', long)).rejects.toMatchObject(refused(/has 300000 bytes/));
    const foreign = await stranger.beta.files.upload({ file: await toFile(Buffer.from('x'), 'a.png') });
    await expect(send('image', foreign.id)).rejects.toMatchObject(refused(/no file/));
  });

  it('may bring a rubric, which is kept as its text', async () => {
    const agent = await client.beta.agents.create({ name: 'Worker', model: 'some-model' });
    const { id: environment_id } = await client.beta.environments.create({ name: 'Open' });
    const file_id = await uploadAs('rubric.md', 'text/markdown', '# Be good');
    const outcome = (rubric: string) =>
      client.beta.sessions.create({
        agent: agent.id,
        environment_id,
        initial_events: [
          { type: 'user.define_outcome', description: 'Do it', rubric: { type: 'file', file_id: rubric } },
        ],
      });
    const { id } = await outcome(file_id);
    const [row] = await world.db.all<{ initial: string }>(
      `SELECT initial_events AS initial FROM sessions WHERE id = '${id}'`,
    );
    expect(JSON.parse(row?.initial ?? '[]')).toMatchObject([
      { rubric: { type: 'text', content: '# Be good' } },
    ]);
    await expect(outcome(await uploadAs('a.png', 'image/png'))).rejects.toMatchObject({
      status: 400,
      apiMessage: expect.stringMatching(/^initial_events\.0\.rubric\.file_id: /),
    });
  });
});
