// Opens a D1 binding. D1 has no interactive transactions: what must happen together goes through `batch`.
import type { D1Database } from '@cloudflare/workers-types';
import { drizzle } from 'drizzle-orm/d1';
import type { Database } from './database.ts';

export function openD1(binding: D1Database): Database {
  return drizzle(binding);
}
