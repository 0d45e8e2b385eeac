-- What a REST call with an Idempotency-Key answered, so that a repeat answers the same and does nothing. Kept for a day.
CREATE TABLE idempotency_key (
  tenant_id text NOT NULL,
  key text NOT NULL,
  -- Of operation and body: the same key with another request is refused.
  request_hash text NOT NULL,
  -- Absent while the first call runs.
  status integer,
  headers jsonb,
  body text,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  CONSTRAINT idempotency_key_pkey PRIMARY KEY (tenant_id, key),
  CONSTRAINT idempotency_key_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id)
);
CREATE INDEX idempotency_key_tenant_id_created_at_idx ON idempotency_key (tenant_id, created_at);

ALTER TABLE idempotency_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON idempotency_key USING (tenant_id = app_tenant()) WITH CHECK (tenant_id = app_tenant());
CREATE POLICY platform ON idempotency_key TO vrsky_platform USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, DELETE ON idempotency_key TO vrsky_app;
GRANT UPDATE (status, headers, body) ON idempotency_key TO vrsky_app;
GRANT SELECT, DELETE ON idempotency_key TO vrsky_platform;
