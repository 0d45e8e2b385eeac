-- A node that lost what enrolment told it, but not its keys, may enrol again with a new token: it gets the identity it had. With the
-- keys of a node in another pool, or with one key of two, the token is refused, and stays unused.

GRANT CREATE ON SCHEMA public TO vrsky_platform;
SET LOCAL ROLE vrsky_platform;

CREATE OR REPLACE FUNCTION enrol_node(hash bytea, new_id text, new_name text, new_version text, new_identity_key text, new_seal_key text)
  RETURNS TABLE (id text, pool text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
DECLARE
  token join_token;
  known node;
BEGIN
  -- The row lock decides a race for one token: the loser waits here and then sees used_at.
  SELECT * INTO token FROM join_token WHERE token_hash = hash AND expires_at > now() FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  SELECT * INTO known FROM node WHERE identity_key = new_identity_key;
  IF FOUND AND (known.seal_key <> new_seal_key OR known.pool <> token.pool OR known.removed_at IS NOT NULL) THEN RETURN; END IF;
  -- Used: only the node that used it gets its answer again, which may have been lost.
  IF token.used_at IS NOT NULL AND token.node_id IS DISTINCT FROM known.id THEN RETURN; END IF;
  IF known.id IS NULL THEN
    INSERT INTO node (id, name, pool, version, identity_key, seal_key) VALUES (new_id, new_name, token.pool, new_version, new_identity_key, new_seal_key) RETURNING * INTO known;
  END IF;
  UPDATE join_token SET used_at = COALESCE(used_at, now()), node_id = known.id WHERE join_token.id = token.id;
  RETURN QUERY SELECT known.id, known.pool;
END $$;

RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM vrsky_platform;
