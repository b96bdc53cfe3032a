DROP INDEX `deployment_runs_failed`;--> statement-breakpoint
CREATE INDEX `deployment_runs_error` ON `deployment_runs` (`tenant_id`,(error IS NULL),`id`);--> statement-breakpoint
CREATE INDEX `deployment_runs_trigger` ON `deployment_runs` (`tenant_id`,(scheduled_at IS NULL),`id`);--> statement-breakpoint
DROP INDEX `deployments_paused`;--> statement-breakpoint
DROP INDEX `deployments_agent`;--> statement-breakpoint
CREATE INDEX `deployments_status` ON `deployments` (`tenant_id`,(paused_reason IS NULL),(archived_at IS NULL),`id`);--> statement-breakpoint
CREATE INDEX `deployments_agent` ON `deployments` (`tenant_id`,`agent_id`,(archived_at IS NULL),`id`);--> statement-breakpoint
DROP INDEX `agents_tenant`;--> statement-breakpoint
CREATE INDEX `agents_tenant` ON `agents` (`tenant_id`,`id`) WHERE deleted_at IS NULL;--> statement-breakpoint
CREATE INDEX `agents_open` ON `agents` (`tenant_id`,`id`) WHERE archived_at IS NULL AND deleted_at IS NULL;--> statement-breakpoint
DROP INDEX `dreams_status`;--> statement-breakpoint
CREATE INDEX `dreams_status` ON `dreams` (`tenant_id`,`status`,(archived_at IS NULL),`id`);--> statement-breakpoint
DROP INDEX `sessions_agent`;--> statement-breakpoint
DROP INDEX `sessions_status`;--> statement-breakpoint
DROP INDEX `sessions_agent_version`;--> statement-breakpoint
DROP INDEX `sessions_deployment`;--> statement-breakpoint
CREATE INDEX `sessions_skilled` ON `sessions` (`tenant_id`,`environment_id`,`id`) WHERE instr(agent, '"skill_id":') > 0;--> statement-breakpoint
CREATE INDEX `sessions_agent` ON `sessions` (`tenant_id`,`agent_id`,(archived_at IS NULL),`id`);--> statement-breakpoint
CREATE INDEX `sessions_status` ON `sessions` (`tenant_id`,`status`,(archived_at IS NULL),`id`);--> statement-breakpoint
CREATE INDEX `sessions_agent_version` ON `sessions` (`tenant_id`,(agent_id || '@' || (agent ->> '$.version')),(archived_at IS NULL),`id`);--> statement-breakpoint
CREATE INDEX `sessions_deployment` ON `sessions` (`tenant_id`,`deployment_id`,(archived_at IS NULL),`id`) WHERE deployment_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX `environments_open` ON `environments` (`tenant_id`,`id`) WHERE archived_at IS NULL;--> statement-breakpoint
CREATE INDEX `vault_credentials_open` ON `vault_credentials` (`vault_id`,`id`) WHERE archived_at IS NULL;