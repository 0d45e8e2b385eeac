-- Secrets of a tenant. A value is ciphertext under one of the tenant's data keys, which are ciphertext under the platform's key-encryption
-- key. Every ciphertext is bound to its row: copied into another one, it does not open.

CREATE TABLE tenant_key (
  tenant_id text NOT NULL,
  id text NOT NULL,
  -- The key-encryption key that it is sealed under.
  kek_id text NOT NULL,
  sealed bytea NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  CONSTRAINT tenant_key_pkey PRIMARY KEY (tenant_id, id),
  CONSTRAINT tenant_key_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id)
);

CREATE TABLE secret (
  tenant_id text NOT NULL,
  id text NOT NULL,
  name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
  -- Host names that a value may be sent to; none: it is only compared with.
  hosts text[] NOT NULL DEFAULT '{}',
  -- How long a replaced version stays valid, unless the replacement says otherwise.
  overlap_seconds integer NOT NULL DEFAULT 86400 CHECK (overlap_seconds BETWEEN 0 AND 2592000),
  -- Counts changes; its ETag.
  revision integer NOT NULL DEFAULT 1,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  updated_at timestamptz(3) NOT NULL DEFAULT now(),
  CONSTRAINT secret_pkey PRIMARY KEY (tenant_id, id),
  CONSTRAINT secret_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id)
);
CREATE UNIQUE INDEX secret_tenant_id_name_key ON secret (tenant_id, name);

CREATE TABLE secret_version (
  tenant_id text NOT NULL,
  secret_id text NOT NULL,
  number integer NOT NULL CHECK (number >= 1),
  key_id text NOT NULL,
  -- NULL: no longer valid, and destroyed.
  ciphertext bytea,
  fingerprint text NOT NULL,
  -- NULL: the current version.
  valid_until timestamptz(3),
  created_by_id text NOT NULL,
  created_by_name text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  CONSTRAINT secret_version_pkey PRIMARY KEY (tenant_id, secret_id, number),
  CONSTRAINT secret_version_tenant_id_secret_id_fkey FOREIGN KEY (tenant_id, secret_id) REFERENCES secret (tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT secret_version_tenant_id_key_id_fkey FOREIGN KEY (tenant_id, key_id) REFERENCES tenant_key (tenant_id, id)
);
CREATE UNIQUE INDEX secret_version_current ON secret_version (tenant_id, secret_id) WHERE valid_until IS NULL;
-- What the worker looks for: versions whose time is over.
CREATE INDEX secret_version_valid_until_idx ON secret_version (valid_until) WHERE ciphertext IS NOT NULL;

-- What a node gets of a tenant's secrets, sealed to it, as it was signed. `basis` tells whether it is still that.
CREATE TABLE node_secrets (
  tenant_id text NOT NULL,
  node_id text NOT NULL,
  basis text NOT NULL,
  envelope text NOT NULL,
  issued_at timestamptz(3) NOT NULL DEFAULT now(),
  CONSTRAINT node_secrets_pkey PRIMARY KEY (tenant_id, node_id),
  CONSTRAINT node_secrets_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id),
  CONSTRAINT node_secrets_node_id_fkey FOREIGN KEY (node_id) REFERENCES node (id)
);

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['tenant_key', 'secret', 'secret_version', 'node_secrets'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant_id = app_tenant()) WITH CHECK (tenant_id = app_tenant())', name);
    EXECUTE format('CREATE POLICY platform ON %I TO vrsky_platform USING (true) WITH CHECK (true)', name);
  END LOOP;
END $$;

GRANT SELECT, INSERT ON tenant_key TO vrsky_app;
GRANT SELECT, INSERT, DELETE ON secret TO vrsky_app;
GRANT UPDATE (hosts, overlap_seconds, revision, updated_at) ON secret TO vrsky_app;
GRANT SELECT, INSERT ON secret_version TO vrsky_app;
GRANT UPDATE (ciphertext, valid_until) ON secret_version TO vrsky_app;
GRANT SELECT ON tenant_key, secret TO vrsky_platform;
GRANT SELECT ON secret_version TO vrsky_platform;
GRANT UPDATE (ciphertext) ON secret_version TO vrsky_platform;
GRANT SELECT, INSERT, UPDATE, DELETE ON node_secrets TO vrsky_platform;
