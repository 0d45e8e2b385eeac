-- What nodes asked of connectors, by process and minute: numbers and results, never what was in a call. A minute is told again while it
-- goes on; the highest revision counts.
CREATE TABLE connector_minute (
  tenant_id text NOT NULL,
  minute timestamptz(3) NOT NULL,
  node_id text NOT NULL,
  -- Unique for each start of a connector.
  process_id text NOT NULL,
  connector text NOT NULL,
  version text NOT NULL,
  digest text NOT NULL,
  -- A process that other tenants share: only what concerns this tenant is counted.
  shared boolean NOT NULL,
  revision integer NOT NULL,
  methods jsonb NOT NULL,
  CONSTRAINT connector_minute_pkey PRIMARY KEY (tenant_id, minute, node_id, process_id),
  CONSTRAINT connector_minute_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id)
);
CREATE INDEX connector_minute_tenant_id_connector_minute_idx ON connector_minute (tenant_id, connector, minute);

-- Turns in the life of a connector process, in words for the customer.
CREATE TABLE connector_event (
  tenant_id text NOT NULL,
  minute timestamptz(3) NOT NULL,
  node_id text NOT NULL,
  process_id text NOT NULL,
  -- Within the minute.
  idx integer NOT NULL,
  at timestamptz(3) NOT NULL,
  kind text NOT NULL CHECK (kind IN ('started', 'ended', 'upgraded', 'paused', 'refused')),
  connector text NOT NULL,
  version text NOT NULL,
  digest text NOT NULL,
  reason text NOT NULL,
  CONSTRAINT connector_event_pkey PRIMARY KEY (tenant_id, minute, node_id, process_id, idx),
  CONSTRAINT connector_event_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id)
);
CREATE INDEX connector_event_tenant_id_connector_at_idx ON connector_event (tenant_id, connector, at);

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['connector_minute', 'connector_event'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant_id = app_tenant()) WITH CHECK (tenant_id = app_tenant())', name);
    EXECUTE format('CREATE POLICY platform ON %I TO vrsky_platform USING (true) WITH CHECK (true)', name);
  END LOOP;
END $$;

GRANT SELECT ON connector_minute, connector_event TO vrsky_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON connector_minute, connector_event TO vrsky_platform;
