// Where drizzle-kit reads the tables and writes the migrations. Run it through `pnpm migrations NAME`.
import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'sqlite',
  schema: './packages/db/src/tables/*.ts',
  out: './migrations/d1',
});
