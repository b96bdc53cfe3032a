ALTER TABLE `agents` ADD `deleted_at` integer;--> statement-breakpoint
ALTER TABLE `session_resources` ADD `memory_store_id` text;--> statement-breakpoint
CREATE INDEX `session_resources_memory_store` ON `session_resources` (`tenant_id`,`memory_store_id`,`session_id`) WHERE memory_store_id IS NOT NULL;--> statement-breakpoint
ALTER TABLE `sessions` ADD `vault_ids` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE `sessions` ADD `deployment_id` text;--> statement-breakpoint
ALTER TABLE `sessions` ADD `agent_tools` text;--> statement-breakpoint
CREATE INDEX `sessions_agent_version` ON `sessions` (`tenant_id`,`agent_id`,agent ->> '$.version',`id`);--> statement-breakpoint
CREATE INDEX `sessions_deployment` ON `sessions` (`tenant_id`,`deployment_id`,`id`) WHERE deployment_id IS NOT NULL;