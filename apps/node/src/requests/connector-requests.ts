import { type ConnectorRequest, type ConnectorResponse, connectorRequestSchema } from '@vrsky/contracts/connector-request';
import { requestPlace } from '@vrsky/contracts/sealed-secrets';
import type { TrustedKey } from '@vrsky/contracts/signed';
import { subjects } from '@vrsky/contracts/subjects';
import type { Log } from '@vrsky/kernel/log';
import { secretsFor } from '../core/pipeline-plan.ts';
import { toTenantSecrets } from '../core/sealed-secret.ts';
import type { ConnectorFleet } from '../plugins/connector-fleet.ts';
import { createTenantRequests, openTenantRequest, type RequestAsk, type TenantRequests } from './tenant-requests.ts';

export interface ConnectorRequestsOptions {
  pool: string;
  nodeId: string;
  nodeName: string;
  sealPrivateKey: string;
  trusted: readonly TrustedKey[];
  connectors: Pick<ConnectorFleet, 'check'>;
  log: Log;
}

const concurrentMax = 4;
/** The console waits a little longer. */
const CHECK_MS = 15_000;
/** No pipeline has a connection of this name. */
const CHECKED_CONNECTION = 'check';

/** Answers the console's "are these settings right" and "test connection": the tenant's own process of the connector is asked. */
export function createConnectorRequests({ pool, nodeId, nodeName, sealPrivateKey, trusted, connectors, log }: ConnectorRequestsOptions): TenantRequests {
  return createTenantRequests<ConnectorResponse>({
    name: 'connector',
    subject: subjects.connector(pool),
    prefix: 'CONNECTOR',
    concurrentMax,
    log,
    async answer({ tenantId }, _nc, text) {
      const { connector, release, role, settings, replyWithinMs, sandboxMinimum, probe, ...request } = openConnectorRequest(text, { pool, tenantId, trusted });
      const place = { nodeId, tenantId, within: requestPlace(request.issuedAtMs) };
      const secrets = secretsFor(settings, toTenantSecrets(request.secrets[nodeId] ?? [], sealPrivateKey, place));
      const connection = { connectionId: CHECKED_CONNECTION, tenantId, connector, release, role, settings, replyWithinMs, secrets, sandboxMinimum };
      const { errors, checks, version, digest } = await connectors.check(connection, probe, CHECK_MS);
      return { ok: true, version, digest, nodeName, errors, checks };
    },
  });
}

export function openConnectorRequest(text: string, ask: RequestAsk): ConnectorRequest {
  return openTenantRequest({ purpose: 'connector', prefix: 'CONNECTOR', schema: connectorRequestSchema }, text, ask);
}
