import type { ContextItem } from '@capstan/session/harness';
import { describe, expect, it } from 'vitest';
import { callOf } from '../testing.ts';
import { type FileContent, FileResolver } from './file-content.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

function resolverOf(files: Record<string, FileContent>) {
  const reads: string[] = [];
  const resolver = new FileResolver({
    read: async (fileId) => {
      reads.push(fileId);
      return files[fileId] ?? null;
    },
  });
  return { resolver, reads };
}

const image = (file_id: string) => ({ type: 'image' as const, source: { type: 'file' as const, file_id } });
const document = (file_id: string) => ({
  type: 'document' as const,
  source: { type: 'file' as const, file_id },
  title: 'A title',
});

describe('a file in a model call', () => {
  it('is what is in it', async () => {
    const { resolver } = resolverOf({
      png: { mimeType: 'image/png', bytes: bytes('image') },
      pdf: { mimeType: 'application/pdf', bytes: bytes('pdf') },
      csv: { mimeType: 'text/csv', bytes: bytes('a,ü') },
    });
    const context: ContextItem[] = [
      { type: 'user', content: [{ type: 'text', text: 'see' }, image('png'), document('pdf')] },
      { type: 'tool_result', callId: 'c', content: [document('csv')], isError: false },
    ];
    const call = callOf({ context });
    const { context: shown } = await resolver.resolve(call);
    const title = 'A title';
    expect(shown).toEqual([
      {
        type: 'user',
        content: [
          { type: 'text', text: 'see' },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: btoa('image') } },
          {
            type: 'document',
            source: { type: 'base64', media_type: 'application/pdf', data: btoa('pdf') },
            title,
          },
        ],
      },
      {
        type: 'tool_result',
        callId: 'c',
        content: [
          { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'a,ü' }, title },
        ],
        isError: false,
      },
    ]);
    expect(call.context).toBe(context);
  });

  it('that is gone, or nothing a model is shown, is a note that fails no call', async () => {
    const { resolver } = resolverOf({
      zip: { mimeType: 'application/zip', bytes: bytes('zip') },
      long: { mimeType: 'text/plain', bytes: new Uint8Array(300_000) },
    });
    const content = [image('none'), image('zip'), document('zip'), document('long')];
    const { context } = await resolver.resolve(callOf({ context: [{ type: 'user', content }] }));
    expect(context[0]?.type === 'user' ? context[0].content : []).toEqual(
      [
        /^\[image none not shown: it is gone\]$/,
        /zip not shown: it is of type/,
        /zip not shown/,
        /long not shown: it has 300000 bytes/,
      ].map((text) => ({ type: 'text', text: expect.stringMatching(text) })),
    );
  });

  it('is read once for the calls of a turn, and only where there is one', async () => {
    const { resolver, reads } = resolverOf({ png: { mimeType: 'image/png', bytes: bytes('image') } });
    const plain = callOf({ context: [{ type: 'user', content: [{ type: 'text', text: 'hi' }] }] });
    expect(await resolver.resolve(plain)).toBe(plain);
    const call = callOf({ context: [{ type: 'user', content: [image('png')] }] });
    await resolver.resolve(call);
    await resolver.resolve(call);
    expect(reads).toEqual(['png']);
  });
});
