CREATE TABLE `session_resources` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`session_id` text NOT NULL,
	`type` text NOT NULL,
	`file_id` text,
	`url` text,
	`checkout` text,
	`mount_path` text NOT NULL,
	`token` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `session_resources_session` ON `session_resources` (`session_id`,`id`);