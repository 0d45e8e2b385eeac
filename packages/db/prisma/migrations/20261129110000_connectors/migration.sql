-- What nodes say about connectors: which they offer, which processes they run and for whom, and how tightly they can hold them.

ALTER TABLE node ADD COLUMN sandbox jsonb NOT NULL DEFAULT '{}';

-- What a node offers. Apart from its row, since schemas are large and pages read nodes often.
CREATE TABLE node_offers (
  node_id text NOT NULL,
  at timestamptz(3) NOT NULL,
  connectors jsonb NOT NULL,
  problems jsonb NOT NULL,
  CONSTRAINT node_offers_pkey PRIMARY KEY (node_id),
  CONSTRAINT node_offers_node_id_fkey FOREIGN KEY (node_id) REFERENCES node (id)
);

-- A tenant's own connector processes on a node. Those that tenants share are in node.connectors, which every tenant of the pool reads.
CREATE TABLE node_process (
  tenant_id text NOT NULL,
  node_id text NOT NULL,
  connectors jsonb NOT NULL,
  CONSTRAINT node_process_pkey PRIMARY KEY (tenant_id, node_id),
  CONSTRAINT node_process_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id),
  CONSTRAINT node_process_node_id_fkey FOREIGN KEY (node_id) REFERENCES node (id)
);
CREATE INDEX node_process_node_id_idx ON node_process (node_id);

-- A tenant sees what the nodes of its pool offer: the policy of node decides which those are.
ALTER TABLE node_offers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY pool ON node_offers FOR SELECT USING (node_id IN (SELECT n.id FROM node n));
CREATE POLICY platform ON node_offers TO vrsky_platform USING (true) WITH CHECK (true);

ALTER TABLE node_process ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON node_process USING (tenant_id = app_tenant()) WITH CHECK (tenant_id = app_tenant());
CREATE POLICY platform ON node_process TO vrsky_platform USING (true) WITH CHECK (true);

GRANT SELECT ON node_offers, node_process TO vrsky_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON node_offers, node_process TO vrsky_platform;
