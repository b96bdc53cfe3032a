CREATE TABLE `vault_credentials` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`vault_id` text NOT NULL,
	`key` text NOT NULL,
	`display_name` text,
	`metadata` text NOT NULL,
	`auth` text NOT NULL,
	`secrets` text,
	`version` integer NOT NULL,
	`renewing_until` integer,
	`refused_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`archived_at` integer
);
--> statement-breakpoint
CREATE INDEX `vault_credentials_vault` ON `vault_credentials` (`vault_id`,`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `vault_credentials_key` ON `vault_credentials` (`vault_id`,`key`) WHERE archived_at IS NULL;--> statement-breakpoint
CREATE TABLE `vaults` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`display_name` text NOT NULL,
	`metadata` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`archived_at` integer
);
--> statement-breakpoint
CREATE INDEX `vaults_tenant` ON `vaults` (`tenant_id`,`id`);--> statement-breakpoint
CREATE INDEX `vaults_open` ON `vaults` (`tenant_id`,`id`) WHERE archived_at IS NULL;