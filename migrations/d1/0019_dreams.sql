CREATE TABLE `dreams` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`status` text NOT NULL,
	`store_id` text NOT NULL,
	`session_ids` text NOT NULL,
	`model` text NOT NULL,
	`instructions` text,
	`output` text NOT NULL,
	`target_id` text NOT NULL,
	`session_id` text NOT NULL,
	`rested` text,
	`usage` text NOT NULL,
	`error` text,
	`created_at` integer NOT NULL,
	`started_at` integer,
	`begun_at` integer,
	`ended_at` integer,
	`released_at` integer,
	`archived_at` integer
);
--> statement-breakpoint
CREATE INDEX `dreams_tenant` ON `dreams` (`tenant_id`,`id`);--> statement-breakpoint
CREATE INDEX `dreams_open` ON `dreams` (`tenant_id`,`id`) WHERE archived_at IS NULL;--> statement-breakpoint
CREATE INDEX `dreams_status` ON `dreams` (`tenant_id`,`status`,`id`);--> statement-breakpoint
CREATE INDEX `dreams_session` ON `dreams` (`session_id`);--> statement-breakpoint
CREATE INDEX `dreams_held` ON `dreams` (`tenant_id`,`target_id`) WHERE released_at IS NULL;