-- The tenant of a self-hosted installation: the bootstrap key belongs to it.
INSERT INTO `tenants` (`id`, `name`, `created_at`) VALUES ('tnt_default', 'Default', 0) ON CONFLICT DO NOTHING;
