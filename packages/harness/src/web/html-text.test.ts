import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEntities } from './entities.ts';
import { toPage } from './html-text.ts';

const BASE = new URL('https://example.com/docs/page');
const textOf = (html: string) => toPage(html, BASE).text;

describe('toPage', () => {
  it('gives the title and the words, without what is no text', () => {
    const html = `<!DOCTYPE html><html><head><title> A &amp;
      B </title><style>p { color: red }</style><script>if (a < b) alert("</p>")</script></head>
      <body><!-- hidden <b>words</b> --><h1>Top</h1><p>One
      two.</p><noscript>no</noscript><svg><text>drawn</text></svg><p>Three<br>four</p></body></html>`;
    expect(toPage(html, BASE)).toEqual({ title: 'A & B', text: '# Top\n\nOne two.\n\nThree\nfour' });
  });

  it.each([
    ['<ul><li>a</li><li>b</li></ul>', '- a\n- b'],
    ['<table><tr><th>x<th>y</tr><tr><td>1</td><td>2</td></tr></table>', '| x | y\n\n| 1 | 2'],
    ['<pre>  a\n    b &lt; c</pre>', '```\n  a\n    b < c\n```'],
    ['<h3>Part</h3>text', '### Part\ntext'],
    ['<a href="/a?b=1&amp;c=2">link</a>', '[link](https://example.com/a?b=1&c=2)'],
    ["<a class=x href='next'>to <b>it</b></a>", '[to it](https://example.com/docs/next)'],
    ['<a href=//other.example/x>y</a>', '[y](https://other.example/x)'],
    ['<a href="javascript:alert(1)">y</a> <a href="#top">up</a> <a name=x>z</a>', 'y up z'],
    ['<a href="/x"></a>.', '.'],
    ['<a href="/x">x <a href="/y">y</a> z</a>', '[x](https://example.com/x)[y](https://example.com/y) z'],
    ['<img alt="a > b" src=x>after', 'after'],
    ['a < b and c<d', 'a < b and c'],
    ['plain words', 'plain words'],
    ['<script>never closed', ''],
    ['<p', ''],
    ['<!-- never closed', ''],
  ])('reads %j as %j', (html, text) => {
    expect(textOf(html)).toBe(text);
  });

  it('reads whatever it is given, and takes time in proportion to it', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('<', '>', '/', 'a', '"', '=', ' ', '!', '-', '&', ';') }),
        (html) => {
          expect(textOf(html)).toBeTypeOf('string');
        },
      ),
    );
    for (const unit of ['<a href="', '<!--', '<p>', '</', '<script>', '&amp', '<a ', '\n', '<pre>'])
      expect(textOf(unit.repeat(100_000))).toBeTypeOf('string');
  });

  it('takes no longer for links within links, and grows no text without end', () => {
    const nested = `${'<a href=x>w'.repeat(100_000)}${'</a>'.repeat(100_000)}`;
    expect(textOf(nested)).toMatch(/^\[w\]\(https:\/\/example\.com\/docs\/x\)/);
    const far = new URL(`https://example.com/${'far/'.repeat(2_000)}`);
    const { text } = toPage('<a href=x>w</a>'.repeat(50_000), far);
    expect(text.length).toBeLessThan(5_000_000);
    expect(text.endsWith('www')).toBe(true);
  });
});

describe('decodeEntities', () => {
  it.each([
    ['&lt;&gt;&amp;&quot;&apos;&#39;', `<>&"''`],
    ['&#x1F600;&#128512;', '😀😀'],
    ['&eacute;&Uuml;&nbsp;|', 'éÜ |'],
    ['&unknown; &; &#; &#0; &#xD800; &#9999999;', '&unknown; &; &#; � � �'],
    ['&constructor;', '&constructor;'],
  ])('%s is %s', (text, decoded) => {
    expect(decodeEntities(text)).toBe(decoded);
  });
});
