-- Layers of the sandbox without which no connector runs for a tenant. The tenant's administrators say so; it goes into the signed bundle.

ALTER TABLE tenant ADD COLUMN sandbox_minimum text[] NOT NULL DEFAULT '{}';
GRANT UPDATE (sandbox_minimum) ON tenant TO vrsky_app;
