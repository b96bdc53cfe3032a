CREATE TABLE `model_cards` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`model_id` text NOT NULL,
	`display_name` text NOT NULL,
	`protocol` text NOT NULL,
	`base_url` text NOT NULL,
	`provider_model` text NOT NULL,
	`api_key` text,
	`api_key_last_four` text,
	`context_window` integer,
	`max_output_tokens` integer,
	`price` text,
	`metadata` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `model_cards_tenant` ON `model_cards` (`tenant_id`,`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `model_cards_model` ON `model_cards` (`tenant_id`,`model_id`);