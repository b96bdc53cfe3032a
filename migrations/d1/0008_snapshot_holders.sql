CREATE TABLE `snapshot_holders` (
	`image_id` text NOT NULL,
	`session_id` text NOT NULL,
	`tenant_id` text NOT NULL,
	PRIMARY KEY(`image_id`, `session_id`)
);
