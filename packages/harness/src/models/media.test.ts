import type { UserContent } from '@capstan/schema/content';
import type { ContextItem } from '@capstan/session/harness';
import { describe, expect, it } from 'vitest';
import { DIALECTS, say, sentBy } from '../testing.ts';
import { carriesMedia, toParts, withheld } from './media.ts';

const PNG: UserContent = {
  type: 'image',
  source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' },
};
const PDF: UserContent = {
  type: 'document',
  title: 'Report',
  source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0xLjQ=' },
};

function user(...content: UserContent[]): ContextItem {
  return { type: 'user', content };
}

function document(source: Extract<UserContent, { type: 'document' }>['source']): UserContent {
  return { type: 'document', source };
}

describe.each(DIALECTS)('content over %s', (dialect) => {
  const texts = (block: UserContent) =>
    toParts(block, dialect).map((part) => (part.type === 'input_text' ? part.text : part.type));

  it('of a type no model takes goes as a note that says what would do', () => {
    const tiff: UserContent = {
      type: 'image',
      source: { type: 'base64', media_type: 'image/tiff', data: 'AAAA' },
    };
    expect(texts(tiff)).toEqual([
      '[image of type image/tiff not shown to this model: send it as PNG, JPEG, GIF or WebP]',
    ]);
    const word = { type: 'base64' as const, media_type: 'application/msword', data: 'AAAA' };
    expect(texts({ type: 'document', source: word, title: 'Letter' })).toEqual([
      'Document: Letter',
      '[document of type application/msword not shown to this model: send it as PDF or as text]',
    ]);
  });

  it('in a file by id goes as a note', () => {
    const source = { type: 'file' as const, file_id: 'file_1' };
    expect(texts({ type: 'image', source }).join()).toMatch(/^\[image file_1 not shown to this model/);
    expect(texts(document(source)).join()).toMatch(/^\[document file_1 not shown to this model/);
  });

  it('that is text under another name is read as text', () => {
    const json = { type: 'base64' as const, media_type: 'application/json', data: btoa('{"a":1}') };
    expect(texts(document(json))).toEqual(['{"a":1}']);
  });

  it('by address is a file, or a note where the protocol has no place for one', async () => {
    const block = document({ type: 'url', url: 'https://files.example/r.pdf' });
    const shown = texts(block);
    if (dialect === 'chat')
      expect(shown.join()).toMatch(/^\[document at https:\/\/files\.example\/r\.pdf not/);
    else expect(shown).toEqual(['input_file']);
    const body = await sentBy(dialect, { context: [user(block), say('what is it?')] });
    expect(JSON.stringify(body)).toContain('https://files.example/r.pdf');
  });

  it('before mediaFrom goes as notes, and from there on as it is', async () => {
    const result: ContextItem[] = [
      { type: 'tool_call', callId: 'a', name: 'read', input: {} },
      { type: 'tool_result', callId: 'a', content: [PNG], isError: false },
    ];
    const context = [user(PDF, { type: 'text', text: 'see' }), ...result, user(PNG)];
    const body = JSON.stringify(await sentBy(dialect, { context, mediaFrom: 3 }));
    expect(body).not.toContain('JVBERi0xLjQ=');
    expect(body.match(/iVBORw0KGgo=/g)).toHaveLength(1);
    expect(body.match(/\[(?:image|document) of type [^\]]* not shown to this model/g)).toHaveLength(2);
  });
});

describe('withheld', () => {
  it('keeps documents that are text', () => {
    const notes = document({ type: 'text', media_type: 'text/plain', data: 'plain' });
    const context = [user(notes)];
    expect(withheld({ context, mediaFrom: 1 })).toEqual(context);
  });
});

describe('carriesMedia', () => {
  it('counts what is sent as an image or document, not what is a note or text', () => {
    const carried = (item: ContextItem, mediaFrom = 0) =>
      carriesMedia({ context: [item], mediaFrom }, 'chat');
    expect(carried(user(PNG))).toBe(true);
    expect(carried(user(PDF))).toBe(true);
    expect(carried(user(PNG), 1)).toBe(false);
    expect(carried(user(document({ type: 'url', url: 'https://h/x' })))).toBe(false);
    expect(carried(say('an image'))).toBe(false);
  });
});
