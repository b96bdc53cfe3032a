// Media types by the ends of file names, for what people and agents commonly make. Unknown ones are bytes.
const BYTES = 'application/octet-stream';

/** The first end of a type is the one a nameless file gets. */
const TYPES: Record<string, readonly string[]> = {
  'application/gzip': ['gz', 'tgz'],
  'application/json': ['json'],
  'application/msword': ['doc'],
  'application/pdf': ['pdf'],
  'application/vnd.ms-excel': ['xls'],
  'application/vnd.ms-powerpoint': ['ppt'],
  'application/vnd.openxmlformats-officedocument.presentationml.presentation': ['pptx'],
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': ['xlsx'],
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': ['docx'],
  'application/x-ndjson': ['jsonl', 'ndjson'],
  'application/x-tar': ['tar'],
  'application/xml': ['xml'],
  'application/yaml': ['yaml', 'yml'],
  'application/zip': ['zip'],
  'audio/mpeg': ['mp3'],
  'audio/wav': ['wav'],
  'image/gif': ['gif'],
  'image/jpeg': ['jpg', 'jpeg'],
  'image/png': ['png'],
  'image/svg+xml': ['svg'],
  'image/webp': ['webp'],
  'text/css': ['css'],
  'text/csv': ['csv'],
  'text/html': ['html', 'htm'],
  'text/javascript': ['js', 'mjs'],
  'text/markdown': ['md'],
  'text/plain': ['txt', 'log', 'py', 'ts', 'sh', 'c', 'h', 'go', 'rs', 'java', 'rb', 'sql', 'toml', 'ini'],
  'video/mp4': ['mp4'],
};

const BY_END = new Map(
  Object.entries(TYPES).flatMap(([type, ends]) => ends.map((end) => [end, type] as const)),
);

/** By the end of its name; `application/octet-stream` when that says nothing. */
export function mimeTypeOf(filename: string): string {
  const [, end = ''] = /\.([a-z0-9]{1,8})$/i.exec(filename) ?? [];
  return BY_END.get(end.toLowerCase()) ?? BYTES;
}

/** The end of a name for the type, with its dot; empty when none is known. */
export function endingOf(mimeType: string): string {
  const [end] = TYPES[mimeType] ?? [];
  return end === undefined ? '' : `.${end}`;
}

/** A `content-type` without its parameters, in lower case. Null: it is none. */
export function parseMimeType(text: string): string | null {
  const [essence = ''] = text.split(';');
  const type = essence.trim().toLowerCase();
  return /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}$/.test(type) ? type : null;
}

/** Says nothing of what a file is. */
export function isAnyBytes(mimeType: string): boolean {
  return mimeType === BYTES;
}
