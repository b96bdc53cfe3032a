ALTER TABLE `environments` ADD `warm_sandboxes` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `environments` ADD `warm_rung_at` integer;--> statement-breakpoint
CREATE INDEX `environments_warm` ON `environments` (`warm_rung_at`) WHERE warm_sandboxes > 0;