CREATE TABLE `user_profiles` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`name` text,
	`name_key` text,
	`access_type` text NOT NULL,
	`details` text NOT NULL,
	`metadata` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `user_profiles_tenant` ON `user_profiles` (`tenant_id`,`id`);--> statement-breakpoint
CREATE INDEX `user_profiles_name` ON `user_profiles` (`tenant_id`,`name_key`,`id`);