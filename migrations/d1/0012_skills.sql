CREATE TABLE `session_skills` (
	`tenant_id` text NOT NULL,
	`session_id` text NOT NULL,
	`version_id` text NOT NULL,
	`name` text NOT NULL,
	`description` text NOT NULL,
	`file_id` text NOT NULL,
	PRIMARY KEY(`session_id`, `version_id`)
);
--> statement-breakpoint
CREATE TABLE `skill_versions` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`skill_id` text NOT NULL,
	`description` text NOT NULL,
	`file_id` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`skill_id`) REFERENCES `skills`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `skill_versions_skill` ON `skill_versions` (`skill_id`,`id`);--> statement-breakpoint
CREATE TABLE `skills` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`name` text NOT NULL,
	`display_name` text NOT NULL,
	`source` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `skills_tenant` ON `skills` (`tenant_id`,`id`);--> statement-breakpoint
CREATE INDEX `skills_source` ON `skills` (`tenant_id`,`source`,`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `skills_short_name` ON `skills` (`tenant_id`,`name`) WHERE source = 'anthropic';