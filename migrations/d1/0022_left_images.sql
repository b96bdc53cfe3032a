CREATE TABLE `left_images` (
	`image_id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`left_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `left_images_time` ON `left_images` (`left_at`);