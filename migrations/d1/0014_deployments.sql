CREATE TABLE `deployment_runs` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`deployment_id` text NOT NULL,
	`agent_id` text NOT NULL,
	`agent_version` integer NOT NULL,
	`scheduled_at` integer,
	`session_id` text,
	`error` text,
	`created_at` integer NOT NULL,
	`ended_at` integer
);
--> statement-breakpoint
CREATE INDEX `deployment_runs_tenant` ON `deployment_runs` (`tenant_id`,`id`);--> statement-breakpoint
CREATE INDEX `deployment_runs_deployment` ON `deployment_runs` (`tenant_id`,`deployment_id`,`id`);--> statement-breakpoint
CREATE INDEX `deployment_runs_failed` ON `deployment_runs` (`tenant_id`,`id`) WHERE error IS NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX `deployment_runs_fire` ON `deployment_runs` (`deployment_id`,`scheduled_at`) WHERE scheduled_at IS NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX `deployment_runs_session` ON `deployment_runs` (`session_id`) WHERE session_id IS NOT NULL;--> statement-breakpoint
CREATE TABLE `deployments` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`name` text NOT NULL,
	`description` text,
	`agent_id` text NOT NULL,
	`agent_version` integer NOT NULL,
	`environment_id` text NOT NULL,
	`initial_events` text NOT NULL,
	`resources` text NOT NULL,
	`vault_ids` text NOT NULL,
	`budget` text,
	`metadata` text NOT NULL,
	`expression` text,
	`timezone` text,
	`missed_runs` text NOT NULL,
	`handled_up_to` integer NOT NULL,
	`last_run_at` integer,
	`paused_reason` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`archived_at` integer
);
--> statement-breakpoint
CREATE INDEX `deployments_tenant` ON `deployments` (`tenant_id`,`id`);--> statement-breakpoint
CREATE INDEX `deployments_agent` ON `deployments` (`tenant_id`,`agent_id`,`id`);--> statement-breakpoint
CREATE INDEX `deployments_open` ON `deployments` (`tenant_id`,`id`) WHERE archived_at IS NULL;--> statement-breakpoint
CREATE INDEX `deployments_paused` ON `deployments` (`tenant_id`,`id`) WHERE archived_at IS NULL AND paused_reason IS NOT NULL;--> statement-breakpoint
CREATE INDEX `deployments_scheduled` ON `deployments` (`tenant_id`,`id`) WHERE archived_at IS NULL AND expression IS NOT NULL;