import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toBlocks } from './prose.tsx';

describe('toBlocks', () => {
  it('tells paragraphs, headings and code apart', () => {
    expect(toBlocks('One\ntwo\n\n# Three\n```ts\nfour();\n\nfive();\n```\nsix')).toEqual([
      { kind: 'text', text: 'One\ntwo' },
      { kind: 'heading', text: 'Three' },
      { kind: 'code', text: 'four();\n\nfive();', language: 'ts' },
      { kind: 'text', text: 'six' },
    ]);
  });

  it('shows a fence that is still being written', () => {
    expect(toBlocks('```\nhalf')).toEqual([{ kind: 'code', text: 'half', language: '' }]);
  });

  it('closes a fence only with one as long', () => {
    expect(toBlocks('````\n```\n````')).toEqual([{ kind: 'code', text: '```', language: '' }]);
  });

  it('loses no word of any text without fences', () => {
    const word = fc.stringMatching(/^[a-z<>&"*_-]{1,8}$/);
    fc.assert(
      fc.property(fc.array(fc.array(word)), (lines) => {
        const text = lines.map((words) => words.join(' ')).join('\n');
        const shown = toBlocks(text)
          .flatMap((block) => block.text.split(/\s+/))
          .filter(Boolean);
        expect(shown).toEqual(lines.flat());
      }),
    );
  });
});
