-- How many requests a source refused, by minute and reason; never what was in them. A minute is told again while it goes on, and only grows.
CREATE TABLE source_refusal (
  tenant_id text NOT NULL,
  pipeline_id text NOT NULL,
  minute timestamptz(3) NOT NULL,
  source_id text NOT NULL,
  -- The code that the senders were answered with.
  reason text NOT NULL,
  node_id text NOT NULL,
  process_id text NOT NULL,
  count integer NOT NULL,
  -- When the last of them was told.
  at timestamptz(3) NOT NULL,
  CONSTRAINT source_refusal_pkey PRIMARY KEY (tenant_id, pipeline_id, minute, source_id, reason, node_id, process_id),
  CONSTRAINT source_refusal_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id)
);
CREATE INDEX source_refusal_minute_idx ON source_refusal (minute);

ALTER TABLE source_refusal ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON source_refusal USING (tenant_id = app_tenant()) WITH CHECK (tenant_id = app_tenant());
CREATE POLICY platform ON source_refusal TO vrsky_platform USING (true) WITH CHECK (true);
GRANT SELECT ON source_refusal TO vrsky_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON source_refusal TO vrsky_platform;

-- The pipeline's page asks again and again what waits there; of all messages only few do.
CREATE INDEX message_waiting_idx ON message (tenant_id, pipeline_id, received_at) WHERE state = 'retrying';
