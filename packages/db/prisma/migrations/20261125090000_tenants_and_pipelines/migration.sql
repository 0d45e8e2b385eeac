-- Roles exist before the first migration (prepare-database.ts): vrsky_owner owns everything here, vrsky_app is the console,
-- vrsky_platform is the control worker. None of them is a superuser or has BYPASSRLS.

-- Partitions live apart: nobody but the owner may name one, so rows are only reached through the guarded parent.
CREATE SCHEMA parts;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO vrsky_app, vrsky_platform;

-- The tenant of the transaction. Empty after a transaction that had one, hence nullif; no tenant means no rows.
CREATE FUNCTION app_tenant() RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE
  RETURN nullif(current_setting('app.tenant_id', true), '');

-- ── Platform ────────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE platform_state (
  id boolean NOT NULL DEFAULT true CHECK (id),
  epoch integer NOT NULL DEFAULT 1 CHECK (epoch >= 1),
  projector_seen_at timestamptz(3),
  CONSTRAINT platform_state_pkey PRIMARY KEY (id)
);
INSERT INTO platform_state DEFAULT VALUES;

-- Second half of the fence (epoch, generation). Gaps are fine: a node only compares.
CREATE SEQUENCE generation_seq AS bigint;

CREATE TABLE app_user (
  id text NOT NULL,
  email text NOT NULL CHECK (email = lower(email)),
  name text NOT NULL,
  password_hash text NOT NULL,
  -- A session issued before this moment is over.
  sessions_from timestamptz(3) NOT NULL DEFAULT now(),
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  CONSTRAINT app_user_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX app_user_email_key ON app_user (email);

CREATE TABLE node (
  id text NOT NULL,
  name text NOT NULL,
  pool text NOT NULL,
  version text NOT NULL,
  identity_key text NOT NULL,
  seal_key text NOT NULL,
  enrolled_at timestamptz(3) NOT NULL DEFAULT now(),
  removed_at timestamptz(3),
  -- The rest is what its lease last said.
  lease_at timestamptz(3),
  started_at timestamptz(3),
  ingest_url text,
  stopping boolean NOT NULL DEFAULT false,
  connectors jsonb NOT NULL DEFAULT '[]',
  CONSTRAINT node_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX node_identity_key_key ON node (identity_key);
CREATE INDEX node_pool_idx ON node (pool);

CREATE TABLE join_token (
  id text NOT NULL,
  token_hash bytea NOT NULL,
  pool text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  expires_at timestamptz(3) NOT NULL,
  used_at timestamptz(3),
  node_id text,
  CONSTRAINT join_token_pkey PRIMARY KEY (id),
  CONSTRAINT join_token_node_id_fkey FOREIGN KEY (node_id) REFERENCES node (id)
);
CREATE UNIQUE INDEX join_token_token_hash_key ON join_token (token_hash);

-- What a pool should run, signed; kept so that a NATS server that lost its data gets the same document again.
CREATE TABLE pool_head (
  pool text NOT NULL,
  epoch integer NOT NULL,
  generation bigint NOT NULL,
  content_hash text NOT NULL,
  envelope text NOT NULL,
  updated_at timestamptz(3) NOT NULL DEFAULT now(),
  CONSTRAINT pool_head_pkey PRIMARY KEY (pool)
);

-- ── Tenants ─────────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE tenant (
  id text NOT NULL,
  slug text NOT NULL CHECK (slug ~ '^[a-z][a-z0-9-]{1,38}[a-z0-9]$'),
  name text NOT NULL,
  pool text NOT NULL,
  -- Seed of the tenant's NATS account, sealed under the key-encryption key named beside it.
  account_seed bytea NOT NULL,
  account_kek text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  CONSTRAINT tenant_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX tenant_slug_key ON tenant (slug);
CREATE INDEX tenant_pool_idx ON tenant (pool);

CREATE TABLE membership (
  tenant_id text NOT NULL,
  user_id text NOT NULL,
  role text NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'operator', 'viewer', 'auditor')),
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  CONSTRAINT membership_pkey PRIMARY KEY (tenant_id, user_id),
  CONSTRAINT membership_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id),
  CONSTRAINT membership_user_id_fkey FOREIGN KEY (user_id) REFERENCES app_user (id)
);
CREATE INDEX membership_user_id_idx ON membership (user_id);

CREATE TABLE api_key (
  tenant_id text NOT NULL,
  id text NOT NULL,
  name text NOT NULL,
  -- First characters, to recognise it by.
  prefix text NOT NULL,
  secret_hash bytea NOT NULL,
  role text NOT NULL DEFAULT 'developer' CHECK (role IN ('owner', 'admin', 'developer', 'operator', 'viewer', 'auditor')),
  created_by text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  last_used_at timestamptz(3),
  revoked_at timestamptz(3),
  CONSTRAINT api_key_pkey PRIMARY KEY (tenant_id, id),
  CONSTRAINT api_key_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id)
);
CREATE UNIQUE INDEX api_key_id_key ON api_key (id);

-- ── Pipelines ───────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE pipeline (
  tenant_id text NOT NULL,
  id text NOT NULL,
  name text NOT NULL,
  -- The secret part of the source's URL. Made here once, so that no draft can claim another's.
  inlet_path text NOT NULL,
  draft jsonb NOT NULL,
  draft_hash text NOT NULL,
  draft_version integer NOT NULL DEFAULT 1,
  published_revision integer,
  published_hash text,
  published_epoch integer,
  published_generation bigint,
  published_at timestamptz(3),
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  updated_at timestamptz(3) NOT NULL DEFAULT now(),
  -- Kept for the messages that point at it.
  deleted_at timestamptz(3),
  -- When what it had left undelivered was settled and its consumers were removed.
  retired_at timestamptz(3),
  CONSTRAINT pipeline_pkey PRIMARY KEY (tenant_id, id),
  CONSTRAINT pipeline_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id)
);
CREATE UNIQUE INDEX pipeline_inlet_path_key ON pipeline (inlet_path);

CREATE TABLE revision (
  tenant_id text NOT NULL,
  pipeline_id text NOT NULL,
  number integer NOT NULL CHECK (number >= 1),
  name text NOT NULL,
  -- Canonical JSON, the exact text that `hash` covers.
  spec text NOT NULL,
  hash text NOT NULL,
  modules jsonb NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  created_by_id text NOT NULL,
  created_by_name text NOT NULL,
  CONSTRAINT revision_pkey PRIMARY KEY (tenant_id, pipeline_id, number),
  CONSTRAINT revision_tenant_id_pipeline_id_fkey FOREIGN KEY (tenant_id, pipeline_id) REFERENCES pipeline (tenant_id, id)
);

ALTER TABLE pipeline ADD CONSTRAINT pipeline_tenant_id_id_published_revision_fkey
  FOREIGN KEY (tenant_id, id, published_revision) REFERENCES revision (tenant_id, pipeline_id, number);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a revision never changes' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER revision_is_immutable BEFORE UPDATE OR DELETE ON revision FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The desired state of one tenant for one pool, as it was signed.
CREATE TABLE bundle (
  tenant_id text NOT NULL,
  pool text NOT NULL,
  epoch integer NOT NULL,
  generation bigint NOT NULL,
  hash text NOT NULL,
  envelope text NOT NULL,
  updated_at timestamptz(3) NOT NULL DEFAULT now(),
  CONSTRAINT bundle_pkey PRIMARY KEY (tenant_id, pool),
  CONSTRAINT bundle_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id)
);
CREATE INDEX bundle_pool_idx ON bundle (pool);

-- Written with the change it announces; the relay brings NATS in line and then marks it done.
CREATE TABLE outbox (
  tenant_id text NOT NULL,
  id bigint GENERATED BY DEFAULT AS IDENTITY,
  pool text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  attempts integer NOT NULL DEFAULT 0,
  next_at timestamptz(3) NOT NULL DEFAULT now(),
  last_error text,
  CONSTRAINT outbox_pkey PRIMARY KEY (tenant_id, id),
  CONSTRAINT outbox_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id)
);
CREATE INDEX outbox_next_at_idx ON outbox (next_at);

-- ── What nodes say ──────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE node_report (
  tenant_id text NOT NULL,
  node_id text NOT NULL,
  at timestamptz(3) NOT NULL,
  received jsonb,
  applied jsonb,
  rejected jsonb,
  pipelines jsonb NOT NULL DEFAULT '[]',
  CONSTRAINT node_report_pkey PRIMARY KEY (tenant_id, node_id),
  CONSTRAINT node_report_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id),
  CONSTRAINT node_report_node_id_fkey FOREIGN KEY (node_id) REFERENCES node (id)
);

-- A node's key to one tenant, as it was signed. `basis` tells whether it still fits the node's and the platform's keys.
CREATE TABLE node_grant (
  tenant_id text NOT NULL,
  node_id text NOT NULL,
  basis text NOT NULL,
  envelope text NOT NULL,
  issued_at timestamptz(3) NOT NULL DEFAULT now(),
  CONSTRAINT node_grant_pkey PRIMARY KEY (tenant_id, node_id),
  CONSTRAINT node_grant_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id),
  CONSTRAINT node_grant_node_id_fkey FOREIGN KEY (node_id) REFERENCES node (id)
);

-- ── The trail, as the projector reads it from NATS ──────────────────────────────────────────────────────────────────

CREATE TABLE message (
  tenant_id text NOT NULL,
  received_at timestamptz(3) NOT NULL,
  id text NOT NULL,
  pipeline_id text NOT NULL,
  revision integer NOT NULL,
  stored_at timestamptz(3) NOT NULL,
  -- The worst over its destinations.
  state text NOT NULL CHECK (state IN ('delivered', 'filtered', 'dead_lettered', 'expired', 'retrying')),
  reason text,
  bytes integer NOT NULL,
  content_type text NOT NULL,
  trace_id text NOT NULL,
  -- Address of the stored input: sequence in INGEST and index in the pack.
  seq bigint NOT NULL,
  idx integer NOT NULL,
  -- The message whose dead letter this one was sent again from.
  replay_of text,
  steps jsonb NOT NULL,
  destinations jsonb NOT NULL,
  attempts integer NOT NULL,
  done_at timestamptz(3),
  CONSTRAINT message_pkey PRIMARY KEY (tenant_id, received_at, id),
  CONSTRAINT message_tenant_id_pipeline_id_fkey FOREIGN KEY (tenant_id, pipeline_id) REFERENCES pipeline (tenant_id, id)
) PARTITION BY RANGE (received_at);
CREATE INDEX message_tenant_id_id_idx ON message (tenant_id, id);
CREATE INDEX message_tenant_id_pipeline_id_received_at_idx ON message (tenant_id, pipeline_id, received_at);
CREATE INDEX message_tenant_id_state_received_at_idx ON message (tenant_id, state, received_at);
CREATE INDEX message_tenant_id_trace_id_idx ON message (tenant_id, trace_id);

CREATE TABLE dead_letter (
  tenant_id text NOT NULL,
  message_id text NOT NULL,
  destination_id text NOT NULL,
  pipeline_id text NOT NULL,
  revision integer NOT NULL,
  received_at timestamptz(3) NOT NULL,
  at timestamptz(3) NOT NULL,
  attempts integer NOT NULL,
  code text NOT NULL,
  reason text NOT NULL,
  peer_status integer,
  -- Sequence in the tenant's stream DLQ.
  dlq_seq bigint,
  resent_at timestamptz(3),
  resent_as text,
  CONSTRAINT dead_letter_pkey PRIMARY KEY (tenant_id, message_id, destination_id),
  CONSTRAINT dead_letter_tenant_id_pipeline_id_fkey FOREIGN KEY (tenant_id, pipeline_id) REFERENCES pipeline (tenant_id, id)
);
CREATE INDEX dead_letter_tenant_id_at_idx ON dead_letter (tenant_id, at);
CREATE INDEX dead_letter_tenant_id_pipeline_id_at_idx ON dead_letter (tenant_id, pipeline_id, at);
CREATE INDEX dead_letter_tenant_id_dlq_seq_idx ON dead_letter (tenant_id, dlq_seq);

-- Messages by the minute they came in and the state they are in now.
CREATE TABLE message_minute (
  tenant_id text NOT NULL,
  pipeline_id text NOT NULL,
  minute timestamptz(3) NOT NULL,
  delivered integer NOT NULL DEFAULT 0,
  filtered integer NOT NULL DEFAULT 0,
  dead_lettered integer NOT NULL DEFAULT 0,
  expired integer NOT NULL DEFAULT 0,
  retrying integer NOT NULL DEFAULT 0,
  CONSTRAINT message_minute_pkey PRIMARY KEY (tenant_id, pipeline_id, minute),
  CONSTRAINT message_minute_tenant_id_pipeline_id_fkey FOREIGN KEY (tenant_id, pipeline_id) REFERENCES pipeline (tenant_id, id)
);
CREATE INDEX message_minute_tenant_id_minute_idx ON message_minute (tenant_id, minute);

-- How far the projection of a tenant's stream TRAIL has come.
CREATE TABLE trail_position (
  tenant_id text NOT NULL,
  -- When the last projected record was stored.
  as_of timestamptz(3) NOT NULL,
  -- Whether more was waiting behind it.
  behind boolean NOT NULL,
  CONSTRAINT trail_position_pkey PRIMARY KEY (tenant_id),
  CONSTRAINT trail_position_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant (id)
);

-- One partition a day, made ahead and dropped when its time is over. As the owner, since only the owner may.
CREATE FUNCTION ensure_message_partitions(first_day date, last_day date) RETURNS integer
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  day date;
  name text;
  made integer := 0;
BEGIN
  IF last_day - first_day > 400 THEN RAISE EXCEPTION 'more than 400 partitions at a time'; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('vrsky.partitions', 0));
  FOR day IN SELECT generate_series(first_day, last_day, interval '1 day')::date LOOP
    name := format('message_%s', to_char(day, 'YYYYMMDD'));
    CONTINUE WHEN to_regclass(format('parts.%I', name)) IS NOT NULL;
    EXECUTE format('CREATE TABLE parts.%I PARTITION OF public.message FOR VALUES FROM (%L) TO (%L)',
      name, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
    EXECUTE format('ALTER TABLE parts.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    made := made + 1;
  END LOOP;
  RETURN made;
END $$;

CREATE FUNCTION drop_message_partitions(before date) RETURNS integer
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  name text;
  dropped integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('vrsky.partitions', 0));
  FOR name IN
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'parts' AND c.relname ~ '^message_\d{8}$' AND to_date(right(c.relname, 8), 'YYYYMMDD') < before
  LOOP
    EXECUTE format('DROP TABLE parts.%I', name);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END $$;

REVOKE ALL ON FUNCTION ensure_message_partitions(date, date), drop_message_partitions(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_message_partitions(date, date), drop_message_partitions(date) TO vrsky_platform;
SELECT ensure_message_partitions((now() AT TIME ZONE 'UTC')::date - 1, (now() AT TIME ZONE 'UTC')::date + 3);

-- ── Row-level security ──────────────────────────────────────────────────────────────────────────────────────────────

-- Every tenant table: rows of the transaction's tenant for everybody, the owner included; all rows for the control worker.
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['membership', 'api_key', 'pipeline', 'revision', 'bundle', 'outbox', 'node_report', 'node_grant', 'message', 'dead_letter', 'message_minute', 'trail_position'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant_id = app_tenant()) WITH CHECK (tenant_id = app_tenant())', name);
    EXECUTE format('CREATE POLICY platform ON %I TO vrsky_platform USING (true) WITH CHECK (true)', name);
  END LOOP;
END $$;

ALTER TABLE tenant ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenant USING (id = app_tenant()) WITH CHECK (id = app_tenant());
CREATE POLICY platform ON tenant TO vrsky_platform USING (true) WITH CHECK (true);

-- A tenant sees the nodes of its pool and the people in it.
ALTER TABLE node ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY pool ON node FOR SELECT USING (pool = (SELECT t.pool FROM tenant t WHERE t.id = app_tenant()));
CREATE POLICY platform ON node TO vrsky_platform USING (true) WITH CHECK (true);

ALTER TABLE app_user ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY member ON app_user FOR SELECT USING (id IN (SELECT m.user_id FROM membership m WHERE m.tenant_id = app_tenant()));
CREATE POLICY platform ON app_user TO vrsky_platform USING (true) WITH CHECK (true);

-- ── Who may do what ─────────────────────────────────────────────────────────────────────────────────────────────────

GRANT SELECT (id, epoch, projector_seen_at) ON platform_state TO vrsky_app;
GRANT USAGE ON SEQUENCE generation_seq TO vrsky_app;
GRANT SELECT (id, email, name, created_at) ON app_user TO vrsky_app;
GRANT SELECT ON node TO vrsky_app;
GRANT SELECT ON tenant, membership, node_report, message, message_minute, trail_position TO vrsky_app;
GRANT SELECT, INSERT ON api_key TO vrsky_app;
GRANT UPDATE (last_used_at, revoked_at) ON api_key TO vrsky_app;
GRANT SELECT, INSERT, UPDATE ON pipeline, bundle TO vrsky_app;
GRANT SELECT, INSERT ON revision, outbox TO vrsky_app;
GRANT SELECT ON dead_letter TO vrsky_app;
GRANT UPDATE (resent_at, resent_as) ON dead_letter TO vrsky_app;

GRANT SELECT, UPDATE ON platform_state TO vrsky_platform;
GRANT USAGE ON SEQUENCE generation_seq TO vrsky_platform;
GRANT SELECT, INSERT, UPDATE ON app_user, node, join_token, pool_head, tenant, membership, api_key, pipeline, bundle TO vrsky_platform;
GRANT SELECT, INSERT ON revision TO vrsky_platform;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox, node_report, node_grant, message, dead_letter, message_minute, trail_position TO vrsky_platform;

-- ── Before a tenant is known ────────────────────────────────────────────────────────────────────────────────────────

-- Sign-in, API keys and enrolment start from a secret, not from a tenant. These functions, run as vrsky_platform, are all
-- that the console may ask across tenants: one row for one exact key.

CREATE FUNCTION find_sign_in_user(wanted_email text) RETURNS TABLE (id text, email text, name text, password_hash text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT u.id, u.email, u.name, u.password_hash FROM app_user u WHERE u.email = lower(wanted_email)
$$;

CREATE FUNCTION find_session_user(wanted_id text) RETURNS TABLE (id text, email text, name text, sessions_from timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT u.id, u.email, u.name, u.sessions_from FROM app_user u WHERE u.id = wanted_id
$$;

CREATE FUNCTION list_memberships(wanted_user_id text) RETURNS TABLE (tenant_id text, slug text, name text, role text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT t.id, t.slug, t.name, m.role FROM membership m JOIN tenant t ON t.id = m.tenant_id WHERE m.user_id = wanted_user_id ORDER BY t.name, t.id
$$;

CREATE FUNCTION end_sessions(wanted_user_id text) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  UPDATE app_user SET sessions_from = now() WHERE id = wanted_user_id
$$;

CREATE FUNCTION find_api_key(wanted_id text) RETURNS TABLE (tenant_id text, id text, name text, role text, secret_hash bytea, revoked_at timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  SELECT k.tenant_id, k.id, k.name, k.role, k.secret_hash, k.revoked_at FROM api_key k WHERE k.id = wanted_id
$$;

-- Uses up a join token and enters the node. The row lock of the UPDATE decides a race: the loser sees used_at and gets no row.
-- The same node asking again with the same token (its first answer was lost) gets the same answer.
CREATE FUNCTION enrol_node(hash bytea, new_id text, new_name text, new_version text, new_identity_key text, new_seal_key text)
  RETURNS TABLE (id text, pool text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
DECLARE
  token join_token;
BEGIN
  UPDATE join_token SET used_at = now() WHERE token_hash = hash AND used_at IS NULL AND expires_at > now() RETURNING * INTO token;
  IF NOT FOUND THEN
    RETURN QUERY SELECT n.id, n.pool FROM join_token j JOIN node n ON n.id = j.node_id
      WHERE j.token_hash = hash AND j.expires_at > now() AND n.identity_key = new_identity_key AND n.seal_key = new_seal_key AND n.removed_at IS NULL;
    RETURN;
  END IF;
  INSERT INTO node (id, name, pool, version, identity_key, seal_key) VALUES (new_id, new_name, token.pool, new_version, new_identity_key, new_seal_key);
  UPDATE join_token SET node_id = new_id WHERE join_token.id = token.id;
  RETURN QUERY SELECT new_id, token.pool;
END $$;

GRANT CREATE ON SCHEMA public TO vrsky_platform;
ALTER FUNCTION find_sign_in_user(text) OWNER TO vrsky_platform;
ALTER FUNCTION find_session_user(text) OWNER TO vrsky_platform;
ALTER FUNCTION list_memberships(text) OWNER TO vrsky_platform;
ALTER FUNCTION end_sessions(text) OWNER TO vrsky_platform;
ALTER FUNCTION find_api_key(text) OWNER TO vrsky_platform;
ALTER FUNCTION enrol_node(bytea, text, text, text, text, text) OWNER TO vrsky_platform;
REVOKE CREATE ON SCHEMA public FROM vrsky_platform;

SET LOCAL ROLE vrsky_platform;
REVOKE ALL ON FUNCTION find_sign_in_user(text), find_session_user(text), list_memberships(text), end_sessions(text), find_api_key(text), enrol_node(bytea, text, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_sign_in_user(text), find_session_user(text), list_memberships(text), end_sessions(text), find_api_key(text), enrol_node(bytea, text, text, text, text, text) TO vrsky_app;
RESET ROLE;
