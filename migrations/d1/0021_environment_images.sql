ALTER TABLE `environments` ADD `image` text;--> statement-breakpoint
ALTER TABLE `environments` ADD `image_due_at` integer;--> statement-breakpoint
ALTER TABLE `environments` ADD `image_used_at` integer;--> statement-breakpoint
CREATE INDEX `environments_image_due` ON `environments` (`image_due_at`) WHERE image_due_at IS NOT NULL;