CREATE INDEX `sessions_open` ON `sessions` (`tenant_id`,`id`) WHERE archived_at IS NULL;--> statement-breakpoint
CREATE INDEX `sessions_status` ON `sessions` (`tenant_id`,`status`,`id`);