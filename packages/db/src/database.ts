// The database as stores use it. Only `d1.ts` knows how one is opened.
import type { DrizzleD1Database } from 'drizzle-orm/d1';

export type Database = DrizzleD1Database;
