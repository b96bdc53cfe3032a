// Which files a model can be shown, and how: as an image, as a PDF, or as their text.
export const MAX_SHOWN_BYTES = 8 * 1024 * 1024;
export const MAX_SHOWN_TEXT_BYTES = 256 * 1024;

const IMAGES = /^image\/(?:png|jpeg|gif|webp)$/;
const TEXTS = /^(?:text\/[\w.+-]+|application\/(?:json|xml|yaml|x-ndjson))$/;

export type Showing = 'image' | 'pdf' | 'text';

/** How a file is shown in a block of that type. A string is why it cannot be. */
export function showingOf(
  { mimeType, sizeBytes }: { mimeType: string; sizeBytes: number },
  block: 'image' | 'document',
): { as: Showing } | string {
  const as = kindOf(mimeType);
  if (block === 'image' && as !== 'image')
    return `is of type ${mimeType}; an image is PNG, JPEG, GIF or WebP`;
  if (block === 'document' && as !== 'pdf' && as !== 'text')
    return `is of type ${mimeType}; a document is PDF or text`;
  const most = as === 'text' ? MAX_SHOWN_TEXT_BYTES : MAX_SHOWN_BYTES;
  if (as === null || sizeBytes > most)
    return `has ${sizeBytes} bytes; a model is shown ${most} at most: mount it as a resource of the session`;
  return { as };
}

function kindOf(mimeType: string): Showing | null {
  if (IMAGES.test(mimeType)) return 'image';
  if (mimeType === 'application/pdf') return 'pdf';
  return TEXTS.test(mimeType) ? 'text' : null;
}
