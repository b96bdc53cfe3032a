import type { Blobs } from '@capstan/db/blobs';
import { MAX_FILE_BYTES } from '@capstan/schema/files';
import { describe, expect, it } from 'vitest';
import { receiveUpload } from './uploads.ts';

const HEAD = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n';

/** A form whose file has so many bytes, made as it is read. */
function requestOf(sizeBytes: number): Request {
  const encoder = new TextEncoder();
  const chunk = new Uint8Array(1024 * 1024);
  let left = sizeBytes;
  let head: Uint8Array<ArrayBuffer> | null = new Uint8Array(encoder.encode(HEAD));
  const body = new ReadableStream({
    type: 'bytes',
    pull(controller) {
      if (head !== null) controller.enqueue(head);
      else if (left > 0) controller.enqueue(chunk.slice(0, left));
      else {
        controller.enqueue(encoder.encode('\r\n--b--\r\n'));
        controller.close();
        // A reader that wants more than is left waits for this.
        controller.byobRequest?.respond(0);
      }
      if (head === null) left -= Math.min(left, chunk.length);
      head = null;
    },
  });
  const headers = { 'content-type': 'multipart/form-data; boundary=b' };
  const init = { method: 'POST', headers, body, duplex: 'half' };
  return new Request('http://localhost/v1/files', init);
}

/** Counts what it is given, and holds nothing. */
function counting() {
  const seen = { bytes: 0, largest: 0 };
  const none = () => Promise.reject(new TypeError('not asked for'));
  const blobs: Blobs = {
    get: none,
    remove: none,
    put: async (_key, content) => {
      for await (const piece of content) {
        seen.bytes += piece.length;
        seen.largest = Math.max(seen.largest, piece.length);
      }
      return { sizeBytes: seen.bytes, digest: 'd' };
    },
  };
  return { seen, blobs };
}

describe('an upload of the largest size', () => {
  it('passes in small pieces, and one byte more is refused', async () => {
    const whole = counting();
    const upload = await receiveUpload(requestOf(MAX_FILE_BYTES), whole.blobs, 'blob');
    expect(upload.content.sizeBytes).toBe(MAX_FILE_BYTES);
    expect(whole.seen.largest).toBeLessThanOrEqual(512 * 1024);
    const more = counting();
    await expect(receiveUpload(requestOf(MAX_FILE_BYTES + 1), more.blobs, 'blob')).rejects.toMatchObject({
      code: 'too_large',
      message: expect.stringContaining('500 MiB'),
    });
    expect(more.seen.bytes).toBeLessThanOrEqual(MAX_FILE_BYTES);
  });
});
