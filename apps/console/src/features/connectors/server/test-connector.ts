import { withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import { askConnector } from '../../../server/run/ask-connector.ts';
import type { TestConnectorArgs } from '../schema.ts';
import type { SettingsError } from '../settings/check-settings.ts';
import { secretReferences } from '../settings/secret-reference.ts';
import type { ConnectorTest } from '../types.ts';
import { checkBySchema } from './check-part.ts';
import { mergeOffers, releaseFor } from './merge-offers.ts';
import { missingSecrets } from './missing-secrets.ts';
import { connectorNotFound, getSchemas, readOffers } from './read-offers.ts';

/** Name look-up, connection and sign-in at the other side, each with a time limit of its own. */
const TEST_WAIT_MS = 20_000;

/**
 * Has a node's connector try settings out, without delivering anything. What the schema refuses already is not tried. Throws
 * `CONNECTOR.NOT_FOUND`; HTTP comes with every node and is asked for even when none has said so yet.
 */
export async function testConnector(ctx: TenantContext, { name, release, role, settings }: TestConnectorArgs): Promise<ConnectorTest> {
  const errors = [...(await schemaErrors(ctx, { name, release, role, settings })), ...(await secretErrors(ctx, settings))];
  if (errors.length > 0) return { outcome: 'not_tried', errors };
  const answer = await askConnector(ctx, { connector: name, ...(release !== undefined && { release }), role, settings, probe: true }, TEST_WAIT_MS);
  if (!answer.ok) return { outcome: 'no_answer', code: answer.code, reason: answer.reason };
  const { version, digest, nodeName, checks } = answer;
  return { outcome: 'answered', version, digest, nodeName, errors: answer.errors, checks };
}

async function schemaErrors(ctx: TenantContext, { name, release, role, settings }: TestConnectorArgs): Promise<SettingsError[]> {
  const text = await withTenant(ctx.db, ctx.tenantId, async (tx) => {
    const connector = mergeOffers(await readOffers(tx, Date.now())).find((item) => item.name === name);
    const found = connector && releaseFor(connector, release);
    if (found) return (await getSchemas(tx, { name, digest: found.digest }))[role];
    if (name === 'http') return '';
    throw connectorNotFound(name);
  });
  return text === '' ? [] : checkBySchema(text, settings);
}

/** References to secrets that the tenant does not have, each at its field. */
export async function secretErrors(ctx: TenantContext, settings: unknown): Promise<SettingsError[]> {
  const references = secretReferences(settings);
  if (references.length === 0) return [];
  const missing = await missingSecrets(
    ctx,
    references.map(({ name }) => name),
  );
  return references.filter(({ name }) => missing.has(name)).map(({ path, name }) => ({ path, message: `There is no secret called “${name}”` }));
}
