CREATE TABLE `memories` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`store_id` text NOT NULL,
	`path` text NOT NULL,
	`version_id` text NOT NULL,
	`content_sha256` text NOT NULL,
	`content_size_bytes` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `memories_path` ON `memories` (`store_id`,`path`);--> statement-breakpoint
CREATE UNIQUE INDEX `memories_version` ON `memories` (`version_id`);--> statement-breakpoint
CREATE TABLE `memory_stores` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`name` text NOT NULL,
	`description` text NOT NULL,
	`metadata` text NOT NULL,
	`revision` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`archived_at` integer,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE INDEX `memory_stores_tenant` ON `memory_stores` (`tenant_id`,`id`) WHERE deleted_at IS NULL;--> statement-breakpoint
CREATE INDEX `memory_stores_open` ON `memory_stores` (`tenant_id`,`id`) WHERE archived_at IS NULL AND deleted_at IS NULL;--> statement-breakpoint
CREATE INDEX `memory_stores_deleted` ON `memory_stores` (`deleted_at`) WHERE deleted_at IS NOT NULL;--> statement-breakpoint
CREATE TABLE `memory_versions` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`store_id` text NOT NULL,
	`memory_id` text NOT NULL,
	`operation` text NOT NULL,
	`path` text,
	`content` text,
	`content_sha256` text,
	`content_size_bytes` integer,
	`created_at` integer NOT NULL,
	`actor_type` text NOT NULL,
	`actor_id` text NOT NULL,
	`redacted_at` integer,
	`redacted_by_type` text,
	`redacted_by_id` text,
	`expires_at` integer
);
--> statement-breakpoint
CREATE INDEX `memory_versions_store` ON `memory_versions` (`store_id`,`id`);--> statement-breakpoint
CREATE INDEX `memory_versions_operation` ON `memory_versions` (`store_id`,`operation`,`id`);--> statement-breakpoint
CREATE INDEX `memory_versions_memory` ON `memory_versions` (`store_id`,`memory_id`,`id`);--> statement-breakpoint
CREATE INDEX `memory_versions_actor` ON `memory_versions` (`store_id`,`actor_id`,`id`);--> statement-breakpoint
CREATE INDEX `memory_versions_expiry` ON `memory_versions` (`expires_at`) WHERE expires_at IS NOT NULL;--> statement-breakpoint
ALTER TABLE `session_resources` ADD `access` text;--> statement-breakpoint
ALTER TABLE `session_resources` ADD `instructions` text;--> statement-breakpoint
ALTER TABLE `session_resources` ADD `name` text;--> statement-breakpoint
ALTER TABLE `session_resources` ADD `description` text;