CREATE TABLE `environment_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`environment_id` text NOT NULL,
	`name` text NOT NULL,
	`hash` text NOT NULL,
	`prefix` text NOT NULL,
	`last_four` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `environment_keys_hash` ON `environment_keys` (`hash`);--> statement-breakpoint
CREATE INDEX `environment_keys_environment` ON `environment_keys` (`tenant_id`,`environment_id`,`id`);