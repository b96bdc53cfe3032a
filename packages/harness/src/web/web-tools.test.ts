import type { Tool } from '@capstan/schema/tools';
import type { UrlSources } from '@capstan/schema/web-tools';
import type { ContextItem, ToolCall } from '@capstan/session/harness';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentOf, say, startServer, type TestServer } from '../testing.ts';
import { NEVER, textOf } from '../tools/testing.ts';
import { isAllowed } from './domains.ts';
import type { SearchConfig } from './web-search.ts';
import { offeredWebTools, performWebTool, type WebDeps } from './web-tools.ts';

let site: TestServer;
let pages: Record<string, { status?: number; type?: string; location?: string; body?: string | Buffer }> = {};
let written: string[] = [];

beforeEach(async () => {
  pages = {};
  written = [];
  site = await startServer((response, request) => {
    const path = new URL(request.url ?? '', 'http://x').pathname;
    const { status = 200, type = 'text/html', location, body = '' } = pages[path] ?? { status: 404 };
    response.writeHead(status, { 'content-type': type, ...(location ? { location } : {}) }).end(body);
  });
});
afterEach(() => site.stop());

type WebConfig = Extract<Tool, { type: 'agent_toolset_20260401' }>['configs'][number];
const on = { enabled: true, permission_policy: { type: 'always_allow' as const } };

function agentWith(...configs: WebConfig[]) {
  const custom = (name: string): Tool => ({
    type: 'custom',
    name,
    description: 'd',
    input_schema: { type: 'object' },
  });
  const toolset: Tool = { type: 'agent_toolset_20260401', default_config: on, configs };
  return agentOf({ id: 'm' }, { tools: [toolset, custom('lookup'), custom('other')] });
}

const fetching = (more: Partial<Extract<WebConfig, { name: 'web_fetch' }>> = {}): WebConfig => ({
  type: 'web_fetch',
  name: 'web_fetch',
  ...on,
  url_sources: null,
  ...more,
});
const searching = (more: Partial<Extract<WebConfig, { name: 'web_search' }>> = {}): WebConfig => ({
  type: 'web_search',
  name: 'web_search',
  ...on,
  ...more,
});

function deps(search: SearchConfig | null = null): WebDeps {
  return {
    reach: { allowPrivate: [new URL(site.url).host] },
    search,
    sandbox: { use: (work) => work('sandbox') },
    // Only writing is asked of it.
    sandboxes: () => ({ writeFile: async ({ path }: { path: string }) => void written.push(path) }) as never,
  };
}

interface Asked {
  input: Record<string, unknown>;
  agent?: ReturnType<typeof agentOf>;
  context?: ContextItem[];
}

function perform(name: string, { input, agent = agentWith(), context = [] }: Asked, web = deps()) {
  const call: ToolCall = {
    effectId: 'sevt_1',
    name,
    input,
    agent,
    context: async () => context,
    shell: 'main',
  };
  return performWebTool(call, web, NEVER);
}

const fetchPage = (path: string, more: Partial<Asked> = {}) =>
  perform('web_fetch', { input: { url: `${site.url}${path}` }, ...more });

describe('what is offered', () => {
  const names = (agent = agentWith(), search: SearchConfig | null = null) =>
    offeredWebTools(agent, { search }).map(({ name }) => name);

  it('has a search only where there is a service for it', () => {
    expect(names()).toEqual(['web_fetch']);
    expect(names(agentWith(), { kind: 'searxng', url: site.url })).toEqual(['web_fetch', 'web_search']);
  });

  it('leaves out what is switched off', () => {
    expect(names(agentWith(fetching({ enabled: false })))).toEqual([]);
    expect(names(agentOf({ id: 'm' }, { tools: [] }))).toEqual([]);
  });
});

describe('web_fetch', () => {
  it('reads a page, from where redirects lead', async () => {
    pages['/old'] = { status: 302, location: '/new' };
    pages['/new'] = { body: '<title>New</title><p>Words, <a href="/x">more</a>' };
    expect(await fetchPage('/old')).toEqual({
      content: [{ type: 'text', text: `[${site.url}/new]\n# New\n\nWords, [more](${site.url}/x)` }],
      isError: false,
    });
  });

  it.each([
    ['text/plain', 'a < b', 'a < b'],
    ['application/json', '{"a":1}', '{"a":1}'],
    ['application/octet-stream', Buffer.from([0, 1, 2, 3]), '4 bytes of type application/octet-stream'],
    ['text/html', '', '(no text)'],
    ['', '<html><p>x', 'x'],
  ])('reads %s as it is', async (type, body, words) => {
    pages['/a'] = { type, body };
    expect(textOf(await fetchPage('/a'))).toContain(words);
  });

  it.each([
    ['image/png', 'image'],
    ['application/pdf', 'document'],
  ])('shows %s', async (type, kind) => {
    pages['/a'] = { type, body: Buffer.from('bytes') };
    const { content } = await fetchPage('/a', { agent: agentWith(fetching({ max_content_tokens: 1 })) });
    expect(content[1]).toEqual({
      type: kind,
      source: { type: 'base64', media_type: type, data: Buffer.from('bytes').toString('base64') },
    });
  });

  it('cuts text at the limit of its settings, and keeps what is too long to show in a file', async () => {
    pages['/a'] = { type: 'text/plain', body: 'x'.repeat(100_001) };
    const agent = agentWith(fetching({ max_content_tokens: 25 }));
    expect(textOf(await fetchPage('/a', { agent }))).toMatch(/\n\nx{100}\n\[Cut here: .*25 tokens/);
    expect(written).toEqual([]);
    expect(textOf(await fetchPage('/a'))).toContain('/mnt/session/tool_results/sevt_1.txt');
    expect(written).toEqual(['/mnt/session/tool_results/sevt_1.txt']);
  });

  it('says what a page answers that is not there', async () => {
    expect(await fetchPage('/none')).toMatchObject({ isError: true });
    expect(textOf(await fetchPage('/none'))).toMatch(/answers with status 404/);
  });

  it.each([
    ['http://169.254.169.254/latest/meta-data/', /private network/],
    ['http://localhost:9200/', /private network/],
    ['https://[::1]/', /private network/],
    ['ftp://example.com/', /input of web_fetch cannot be used/],
    ['nonsense', /input of web_fetch cannot be used/],
    ['https://user:word@example.com/', /user name or password/],
  ])('does not ask %s', async (url, why) => {
    expect(textOf(await perform('web_fetch', { input: { url } }))).toMatch(why);
  });

  it('asks no domain that its settings exclude, a redirect neither', async () => {
    pages['/away'] = { status: 302, location: 'https://blocked.example.com/' };
    const blocked = agentWith(fetching({ blocked_domains: ['example.com'] }));
    expect(textOf(await fetchPage('/away', { agent: blocked }))).toMatch(/exclude blocked\.example\.com/);
    const allowed = agentWith(fetching({ allowed_domains: ['example.com'] }));
    expect(textOf(await fetchPage('/away', { agent: allowed }))).toMatch(/exclude 127\.0\.0\.1/);
    expect(site.requests).toHaveLength(1);
  });
});

describe('sources of URLs', () => {
  const open: UrlSources = { client_tool_results: null, server_tool_results: null, user_input: null };
  const only = (type: 'only' | 'except', name: string) => ({
    type,
    tools: [{ type: 'tool_reference' as const, name }],
  });
  const result = (name: string, words: string, server?: string): ContextItem[] => [
    { type: 'tool_call', callId: name, name, input: {}, ...(server ? { server } : {}) },
    { type: 'tool_result', callId: name, content: [{ type: 'text', text: words }], isError: false },
  ];
  const tell = (sources: Partial<UrlSources>, ...context: ContextItem[]) => {
    pages['/a'] = { type: 'text/plain', body: 'read' };
    const agent = agentWith(fetching({ url_sources: { ...open, ...sources } }));
    return fetchPage('/a', { agent, context }).then((outcome) => !outcome.isError);
  };
  const shows = () => `Read (${site.url}/a). Soon!`;

  it('are all that are not limited', async () => {
    expect(await tell({}, say(shows()))).toBe(true);
    expect(await tell({}, ...result('lookup', shows()))).toBe(true);
    expect(await tell({}, ...result('web_search', shows()))).toBe(true);
  });

  it('do not include the model itself, other tools, MCP servers, or nobody', async () => {
    expect(await tell({})).toBe(false);
    expect(await tell({}, { type: 'message', text: shows() })).toBe(false);
    expect(await tell({}, ...result('bash', shows()))).toBe(false);
    expect(await tell({}, ...result('lookup', shows(), 'docs'))).toBe(false);
    expect(await tell({}, say(`${site.url}/ab`))).toBe(false);
  });

  it('narrow each source by its own rule', async () => {
    expect(await tell({ user_input: { type: 'none' } }, say(shows()))).toBe(false);
    expect(await tell({ client_tool_results: { type: 'none' } }, ...result('lookup', shows()))).toBe(false);
    expect(await tell({ client_tool_results: only('only', 'lookup') }, ...result('lookup', shows()))).toBe(
      true,
    );
    expect(await tell({ client_tool_results: only('only', 'lookup') }, ...result('other', shows()))).toBe(
      false,
    );
    expect(await tell({ client_tool_results: only('except', 'lookup') }, ...result('other', shows()))).toBe(
      true,
    );
    expect(
      await tell({ server_tool_results: only('except', 'web_search') }, ...result('web_search', shows())),
    ).toBe(false);
    expect(
      await tell({ server_tool_results: only('only', 'web_fetch') }, ...result('web_fetch', shows())),
    ).toBe(true);
  });
});

describe('web_search', () => {
  const searxng = (): SearchConfig => ({ kind: 'searxng', url: `${site.url}/search` });
  const found = (...rows: object[]) => {
    pages['/search'] = { type: 'application/json', body: JSON.stringify({ results: rows }) };
  };
  const search = (configs: WebConfig[] = [], config = searxng()) =>
    perform('web_search', { input: { query: 'tea' }, agent: agentWith(...configs) }, deps(config));
  const asked = () => new URL(site.requests.at(-1)?.url ?? '', 'http://x').searchParams;

  it('gives what a SearXNG finds', async () => {
    found(
      { url: 'https://a.example.com/1', title: 'A &amp; <b>one</b>', content: 'About tea.' },
      { url: 'javascript:alert(1)', title: 'no' },
      { title: 'no address' },
      { url: 'https://b.example.com/', title: '', content: null },
    );
    const { content } = await search();
    expect(content).toMatchObject([
      { type: 'search_result', source: 'https://a.example.com/1', content: [{ text: 'About tea.' }] },
      {
        source: 'https://b.example.com/',
        title: 'https://b.example.com/',
        content: [{ text: '(no excerpt)' }],
      },
    ]);
    expect([asked().get('q'), asked().get('format')]).toEqual(['tea', 'json']);
  });

  it('keeps to the domains of its settings', async () => {
    found(
      { url: 'https://docs.example.com/guide/x', title: 'in' },
      { url: 'https://docs.example.com/blog/x', title: 'out' },
      { url: 'https://example.org/', title: 'out' },
    );
    const within = await search([searching({ allowed_domains: ['example.com/guide'] })]);
    expect(within.content).toMatchObject([{ title: 'in' }]);
    expect(asked().get('q')).toBe('tea (site:example.com/guide)');
    const without = await search([searching({ blocked_domains: ['example.com'] })]);
    expect(without.content).toMatchObject([{ source: 'https://example.org/' }]);
    expect(textOf(await search([searching({ allowed_domains: ['none.example'] })]))).toBe(
      'Nothing was found.',
    );
  });

  it("asks Brave's API with its key and the place of its settings", async () => {
    const rows = [{ url: 'https://a.example.com/', title: 'A', description: '<strong>Tea</strong>' }];
    pages['/brave'] = { type: 'application/json', body: JSON.stringify({ web: { results: rows } }) };
    const place = { type: 'approximate' as const, city: 'Zürich', country: 'CH', timezone: 'Europe/Zurich' };
    const config: SearchConfig = { kind: 'brave', url: `${site.url}/brave`, apiKey: 'secret' };
    const { content } = await search([searching({ user_location: place })], config);
    expect(content).toMatchObject([{ title: 'A', content: [{ text: 'Tea' }] }]);
    expect(site.requests[0]?.headers).toMatchObject({
      'x-subscription-token': 'secret',
      'x-loc-city': 'Zurich',
      'x-loc-country': 'CH',
      'x-loc-timezone': 'Europe/Zurich',
    });
  });

  it.each([
    [{ status: 500 }],
    [{ body: 'no json' }],
    [{ type: 'application/json', body: '{"other":1}' }],
    [{ status: 302, location: 'https://example.com/' }],
  ])('fails without a word of the service when that answers %j', async (page) => {
    pages['/search'] = page;
    expect(await search()).toEqual({
      content: [
        { type: 'text', text: 'The search service cannot be reached. Try again later, or go on without it.' },
      ],
      isError: true,
    });
  });

  it.each([[{}], [{ query: ' ' }], [{ query: 'x'.repeat(401) }]])('refuses the input %j', async (input) => {
    expect(textOf(await perform('web_search', { input }, deps(searxng())))).toMatch(/input of web_search/);
    expect(textOf(await perform('web_search', { input: { query: 'x' } }))).toMatch(/no search service/);
  });
});

describe('isAllowed', () => {
  it.each([
    ['https://example.com/', ['example.com'], true],
    ['https://a.b.example.com./x', ['example.com'], true],
    ['https://EXAMPLE.com/', ['example.com'], true],
    ['https://notexample.com/', ['example.com'], false],
    ['https://example.com.evil.com/', ['example.com'], false],
    ['https://example.com/docs', ['example.com/docs/'], true],
    ['https://example.com/docs/x', ['example.com/docs'], true],
    ['https://example.com/docsx', ['example.com/docs'], false],
  ])('%s within %j: %j', (url, allowed_domains, is) => {
    expect(isAllowed(new URL(url), { allowed_domains })).toBe(is);
    expect(isAllowed(new URL(url), { blocked_domains: allowed_domains })).toBe(!is);
  });
});
