CREATE TABLE `environment_versions` (
	`tenant_id` text NOT NULL,
	`environment_id` text NOT NULL,
	`version` integer NOT NULL,
	`name` text NOT NULL,
	`description` text,
	`config` text NOT NULL,
	`metadata` text NOT NULL,
	`scope` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`environment_id`, `version`)
);
--> statement-breakpoint
ALTER TABLE `environments` ADD `version` integer DEFAULT 1 NOT NULL;--> statement-breakpoint
INSERT INTO `environment_versions` SELECT `tenant_id`, `id`, 1, `name`, `description`, `config`, `metadata`, `scope`, `created_at` FROM `environments`;
