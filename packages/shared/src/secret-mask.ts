// Secrets out of text: in the forms in which programs write what they were given. What is short is looked for as it stands
// only: a short form is found where no secret is.

const MIN_FORM_CHARS = 8;
const MIN_SECRET_CHARS = 4;
const MASK = '***';

/** The text with a mask in place of each secret. */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  const forms = secrets.filter(({ length }) => length >= MIN_SECRET_CHARS).flatMap(secretForms);
  // The longest first: a form may be a part of another.
  const ordered = forms.toSorted((a, b) => b.length - a.length);
  return ordered.reduce((rest, form) => rest.replaceAll(form, MASK), text);
}

/** A secret as it stands, in a URL, in a form, in JSON, in hexadecimal, and anywhere inside base64. */
export function secretForms(secret: string): string[] {
  const bytes = new TextEncoder().encode(secret);
  const percent = encodeURIComponent(secret);
  const json = JSON.stringify(secret).slice(1, -1);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const encoded = [
    percent,
    percent.replaceAll('%20', '+'),
    percent.replace(/%[0-9A-F]{2}/g, (escaped) => escaped.toLowerCase()),
    json,
    json.replaceAll('/', '\\/'),
    hex,
    hex.toUpperCase(),
    ...base64Cores(bytes),
  ];
  return [...new Set([secret, ...encoded.filter(({ length }) => length >= MIN_FORM_CHARS)])];
}

/** Base64 of anything that contains the bytes contains one of these: the characters that depend on nothing else. */
function base64Cores(bytes: Uint8Array): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const shifted = new Uint8Array(offset + bytes.length);
    shifted.set(bytes, offset);
    const text = btoa(Array.from(shifted, (byte) => String.fromCharCode(byte)).join(''));
    const from = Math.ceil((offset * 8) / 6);
    const until = Math.floor((shifted.length * 8) / 6);
    const core = text.slice(from, until);
    return [core, core.replaceAll('+', '-').replaceAll('/', '_')];
  });
}
