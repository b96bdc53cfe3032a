// What another server answered, for the eyes of who configured it: the start of it, without secrets.
import type { CapturedResponse } from '@capstan/schema/credentials';
import { maskSecrets } from './secret-mask.ts';

const MAX_READ_BYTES = 65_536;
const MAX_SHOWN_CHARS = 4_096;
const MAX_TYPE_CHARS = 256;

/** Secrets that nobody here knows: what a token endpoint gives, by the names that it gives them, in JSON or as a form. */
const NAMED = [
  /("(?:access_token|refresh_token|id_token|client_secret|token)"\s*:\s*")(?:[^"\\]|\\.)*/gi,
  /(\b(?:access_token|refresh_token|id_token|client_secret|token)=)[^&\s"'<>]+/gi,
];

/** Reads no more of the body than it shows. Secrets are masked before anything is cut off, so no half of one is left. */
export async function captureResponse(
  response: Response,
  secrets: readonly string[],
): Promise<CapturedResponse> {
  const { text, whole } = await readStart(response);
  const masked = NAMED.reduce((rest, named) => rest.replaceAll(named, '$1***'), maskSecrets(text, secrets));
  const type = response.headers.get('content-type') ?? '';
  return {
    status_code: response.status,
    content_type: maskSecrets(type, secrets).slice(0, MAX_TYPE_CHARS),
    body: masked.slice(0, MAX_SHOWN_CHARS),
    body_truncated: !whole || masked.length > MAX_SHOWN_CHARS,
  };
}

/** What breaks off is as long as it is. */
async function readStart({ body }: Response): Promise<{ text: string; whole: boolean }> {
  if (body === null) return { text: '', whole: true };
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let text = '';
  let seen = 0;
  try {
    while (seen < MAX_READ_BYTES) {
      const { done, value } = await reader.read();
      if (done) return { text: text + decoder.decode(), whole: true };
      seen += value.byteLength;
      text += decoder.decode(value, { stream: true });
    }
    await reader.cancel();
  } catch {
    // Told as what it is: not whole.
  }
  return { text, whole: false };
}
