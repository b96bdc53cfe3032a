// Paths as a model gives them: absolute, or relative to the workspace.
import { WORKSPACE } from '@capstan/sandbox/port';
import { z } from 'zod';

export const filePath = z
  .string()
  .min(1, 'must not be empty')
  .max(4_096, 'is too long')
  .refine((path) => !path.includes('\0'), 'must not contain NUL')
  .transform(toAbsolute);

/** Without `.`, `..` and doubled slashes. */
function toAbsolute(path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith('/') ? path : `${WORKSPACE}/${path}`).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}
