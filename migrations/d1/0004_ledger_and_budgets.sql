CREATE TABLE `ledger` (
	`event_id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`session_id` text NOT NULL,
	`thread_id` text NOT NULL,
	`agent_id` text NOT NULL,
	`agent_version` integer NOT NULL,
	`kind` text NOT NULL,
	`provider` text NOT NULL,
	`model` text NOT NULL,
	`input_tokens` integer NOT NULL,
	`output_tokens` integer NOT NULL,
	`cache_read_tokens` integer NOT NULL,
	`cache_write_tokens` integer NOT NULL,
	`cost_nano_usd` integer,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `ledger_tenant` ON `ledger` (`tenant_id`,`at`);--> statement-breakpoint
ALTER TABLE `sessions` ADD `budget` text;--> statement-breakpoint
ALTER TABLE `sessions` ADD `outcome_evaluations` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE `sessions` ADD `initial_events` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE `sessions` ADD `origin` text;