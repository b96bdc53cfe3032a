// Identifiers in Modal's forms. The SDK tells the two sandbox backends apart by length: 22 characters is the first one,
// which the emulator does not speak, so its sandboxes have 26.
import { randomInt } from 'node:crypto';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const OBJECT_LENGTH = 22;
const SANDBOX_LENGTH = 26;

export function newId(prefix: 'ap' | 'im' | 'sb' | 'st' | 'ta' | 'tr' | 'vo'): string {
  const length = prefix === 'sb' ? SANDBOX_LENGTH : OBJECT_LENGTH;
  return `${prefix}-${Array.from({ length }, () => BASE62[randomInt(BASE62.length)]).join('')}`;
}
