CREATE TABLE `blob_debts` (
	`blob` text PRIMARY KEY NOT NULL,
	`due_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `blob_debts_due` ON `blob_debts` (`due_at`);--> statement-breakpoint
CREATE TABLE `files` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`kind` text NOT NULL,
	`filename` text NOT NULL,
	`mime_type` text NOT NULL,
	`size_bytes` integer NOT NULL,
	`digest` text NOT NULL,
	`blob` text,
	`downloadable` integer NOT NULL,
	`session_id` text,
	`created_at` integer NOT NULL,
	`expires_at` integer
);
--> statement-breakpoint
CREATE INDEX `files_listed` ON `files` (`tenant_id`,`id`) WHERE kind <> 'copy';--> statement-breakpoint
CREATE INDEX `files_session` ON `files` (`tenant_id`,`session_id`,`id`) WHERE session_id IS NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX `files_output` ON `files` (`session_id`,`filename`,`digest`) WHERE kind = 'output';--> statement-breakpoint
CREATE INDEX `files_blob` ON `files` (`blob`);--> statement-breakpoint
CREATE INDEX `files_expiry` ON `files` (`expires_at`) WHERE expires_at IS NOT NULL AND blob IS NOT NULL;