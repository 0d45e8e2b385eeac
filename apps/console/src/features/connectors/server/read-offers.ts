import { type ConnectorOffer, connectorOfferSchema, type NodeLiveness, offersSchema } from '@vrsky/contracts/node-status';
import type { TenantTx } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import { z } from 'zod';
import { liveness } from '../../nodes/server/liveness.ts';
import { isForgotten } from '../../nodes/server/seen-nodes.ts';

/** Without its schemas, which are large and only wanted for one connector at a time. */
export type OfferSummary = Omit<ConnectorOffer, 'settingsSchemas'>;

/** What one node of the tenant's pool says it can run. */
export interface NodeOffers {
  node: { id: string; name: string; liveness: NodeLiveness; lastSeenAt: Date | null };
  offers: OfferSummary[];
  problems: z.infer<typeof offersSchema.shape.problems>;
}

const summariesSchema = z.array(connectorOfferSchema.omit({ settingsSchemas: true }));

/** The nodes of the tenant's pool, by name, and what each offers. Row-level security knows the pool. */
export async function readOffers(tx: TenantTx, nowMs: number): Promise<NodeOffers[]> {
  const rows = await tx.$queryRaw<
    { id: string; name: string; leaseAt: Date | null; enrolledAt: Date; stopping: boolean; connectors: unknown; problems: unknown }[]
  >`
    SELECT n.id, n.name, n.lease_at AS "leaseAt", n.enrolled_at AS "enrolledAt", n.stopping, o.problems,
      (SELECT jsonb_agg(c - 'settingsSchemas') FROM jsonb_array_elements(o.connectors) c) AS connectors
    FROM node n LEFT JOIN node_offers o ON o.node_id = n.id WHERE n.removed_at IS NULL ORDER BY n.name, n.id`;
  return rows
    .filter((row) => !isForgotten(row, nowMs))
    .map((row) => ({
      node: { id: row.id, name: row.name, liveness: liveness(row, nowMs), lastSeenAt: row.leaseAt },
      offers: summariesSchema.parse(row.connectors ?? []),
      problems: offersSchema.shape.problems.parse(row.problems ?? []),
    }));
}

/** The settings schemas of one release. Throws `CONNECTOR.NOT_FOUND` when no node of the pool offers it. */
export async function getSchemas(tx: TenantTx, { name, digest }: { name: string; digest: string }): Promise<ConnectorOffer['settingsSchemas']> {
  const [row] = await tx.$queryRaw<{ schemas: unknown }[]>`
    SELECT c->'settingsSchemas' AS schemas FROM node n JOIN node_offers o ON o.node_id = n.id, jsonb_array_elements(o.connectors) c
    WHERE n.removed_at IS NULL AND c->>'name' = ${name} AND c->>'digest' = ${digest} ORDER BY n.lease_at DESC NULLS LAST LIMIT 1`;
  if (!row) throw connectorNotFound(name);
  return connectorOfferSchema.shape.settingsSchemas.parse(row.schemas);
}

export function connectorNotFound(name: string): AppError {
  return new AppError({
    code: 'CONNECTOR.NOT_FOUND',
    kind: 'not_found',
    message: `no node of the pool offers the connector ${name}`,
    publicMessage: 'No node of your pool offers this connector, or this release of it.',
  });
}
