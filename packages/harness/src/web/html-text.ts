// Web pages as text that a model can read: words, headings, lists, links and the lines of preformatted text. One pass over
// the page, whatever it is: its tags need not match. Addresses of links are made absolute, as long as there are not too
// many: a short page must not become a text that nobody can hold.
import { decodeEntities } from './entities.ts';

export interface Page {
  title: string | null;
  text: string;
}

/** What is in them is no text of the page. */
const SKIPPED: ReadonlySet<string> = new Set([
  'script',
  'style',
  'noscript',
  'template',
  'svg',
  'iframe',
  'object',
  'select',
  'textarea',
]);
/** They begin a line, and end one. */
const BLOCKS: ReadonlySet<string> = new Set([
  'address',
  'article',
  'aside',
  'blockquote',
  'body',
  'dd',
  'details',
  'div',
  'dl',
  'dt',
  'fieldset',
  'figcaption',
  'figure',
  'footer',
  'form',
  'header',
  'hr',
  'main',
  'nav',
  'ol',
  'section',
  'summary',
  'table',
  'tr',
  'ul',
]);
/** They have an empty line before them. */
const PARAGRAPHS: ReadonlySet<string> = new Set(['p', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'pre']);
/** Of all addresses together. */
const MAX_ADDRESS_CHARS = 4_000_000;
const CELLS: ReadonlySet<string> = new Set(['td', 'th']);

export function toPage(html: string, base: URL): Page {
  const reader = new PageReader(base);
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf('<', at);
    if (open < 0) break;
    reader.words(html.slice(at, open));
    at = tagEnd(html, open, reader);
  }
  reader.words(html.slice(at));
  return reader.page();
}

/** Where the text goes on behind what begins at `open`. */
function tagEnd(html: string, open: number, reader: PageReader): number {
  if (html.startsWith('<!--', open)) return after(html, '-->', open + 4);
  if (/[!?]/.test(html.charAt(open + 1))) return after(html, '>', open);
  if (!/[a-z/]/i.test(html.charAt(open + 1))) {
    reader.words('<');
    return open + 1;
  }
  const end = closing(html, open);
  const tag = html.slice(open + 1, end);
  const [, slash = '', name = ''] = /^(\/?)([a-z][a-z0-9-]*)/i.exec(tag) ?? [];
  const kind = name.toLowerCase();
  if (slash === '/') reader.close(kind);
  else if (SKIPPED.has(kind)) return skipped(html, kind, end + 1);
  else reader.open(kind, tag);
  return end + 1;
}

/** A `>` inside quotes does not end a tag. */
function closing(html: string, open: number): number {
  let quote = '';
  for (let at = open + 1; at < html.length; at++) {
    const char = html.charAt(at);
    if (quote !== '') quote = char === quote ? '' : quote;
    else if (char === '>') return at;
    else if ((char === '"' || char === "'") && html.charAt(at - 1) === '=') quote = char;
  }
  return html.length;
}

function skipped(html: string, kind: string, from: number): number {
  const end = new RegExp(`</${kind}`, 'gi');
  end.lastIndex = from;
  const found = end.exec(html);
  return found === null ? html.length : after(html, '>', found.index);
}

function after(html: string, mark: string, from: number): number {
  const found = html.indexOf(mark, from);
  return found < 0 ? html.length : found + mark.length;
}

class PageReader {
  #base: URL;
  #out: string[] = [];
  #title: string[] | null = null;
  #inTitle = false;
  #pre = 0;
  /** The one that is open: a link within a link ends it, as in browsers. */
  #link: { at: number; href: string | null } | null = null;
  #addressChars = 0;

  constructor(base: URL) {
    this.#base = base;
  }

  words(raw: string): void {
    if (raw === '') return;
    const text = decodeEntities(raw);
    if (this.#inTitle) this.#title?.push(text);
    else this.#out.push(this.#pre > 0 ? text : text.replaceAll(/\s+/g, ' '));
  }

  open(kind: string, tag: string): void {
    if (kind === 'title' && this.#title === null) {
      this.#title = [];
      this.#inTitle = true;
    } else if (kind === 'br') this.#out.push('\n');
    else if (kind === 'li') this.#out.push('\n- ');
    else if (CELLS.has(kind)) this.#out.push(' | ');
    else if (kind === 'a') {
      this.#endLink();
      this.#link = { at: this.#out.length, href: this.#address(tag) };
    } else if (BLOCKS.has(kind)) this.#out.push('\n');
    else if (PARAGRAPHS.has(kind)) this.#paragraph(kind);
  }

  close(kind: string): void {
    if (kind === 'title') this.#inTitle = false;
    else if (kind === 'a') this.#endLink();
    else if (kind === 'pre') {
      this.#pre = Math.max(0, this.#pre - 1);
      this.#out.push('\n```\n');
    } else if (BLOCKS.has(kind) || PARAGRAPHS.has(kind)) this.#out.push('\n');
  }

  page(): Page {
    const lines = this.#out.join('').split('\n');
    let fenced = false;
    const tidy = lines.map((line) => {
      if (line === '```') fenced = !fenced;
      return fenced ? line.trimEnd() : line.trim();
    });
    const text = tidy
      .join('\n')
      .replaceAll(/\n{3,}/g, '\n\n')
      .trim();
    const title = this.#title?.join('').replaceAll(/\s+/g, ' ').trim();
    return { title: title || null, text };
  }

  #paragraph(kind: string): void {
    this.#out.push('\n\n');
    if (kind === 'pre') {
      this.#pre += 1;
      this.#out.push('```\n');
    } else if (kind !== 'p') this.#out.push(`${'#'.repeat(Number(kind.slice(1)))} `);
  }

  #endLink(): void {
    const link = this.#link;
    this.#link = null;
    if (link === null || link.href === null) return;
    const label = this.#out.splice(link.at).join('').replaceAll(/\s+/g, ' ').trim();
    if (label !== '') this.#out.push(`[${label}](${link.href})`);
  }

  #address(tag: string): string | null {
    const [, double, single, bare] = /\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i.exec(tag) ?? [];
    const given = double ?? single ?? bare;
    if (given === undefined || given.startsWith('#') || this.#addressChars > MAX_ADDRESS_CHARS) return null;
    const url = URL.parse(decodeEntities(given).trim(), this.#base.href);
    this.#addressChars += url?.href.length ?? 0;
    return url !== null && /^https?:$/.test(url.protocol) ? url.href : null;
  }
}
