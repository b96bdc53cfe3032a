// Images that no environment has any more: they are to be deleted.
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const leftImages = sqliteTable(
  'left_images',
  {
    imageId: text('image_id').primaryKey(),
    tenantId: text('tenant_id').notNull(),
    leftAt: integer('left_at').notNull(),
  },
  (t) => [index('left_images_time').on(t.leftAt)],
);
