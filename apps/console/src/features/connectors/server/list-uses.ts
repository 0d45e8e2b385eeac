import type { TenantTx } from '@vrsky/db/client';
import type { ConnectorRole, ConnectorUse } from '../types.ts';

interface PartRow {
  pipelineId: string;
  pipelineName: string;
  role: ConnectorRole;
  published: boolean;
  id: string;
  name: string;
  connector: string;
  release: string | null;
}

/** By connector, the tenant's pipelines that use it: as the nodes run them, or in the draft only. */
export async function listUses(tx: TenantTx, tenantId: string): Promise<Map<string, ConnectorUse[]>> {
  // In the database, because drafts carry all the code of their steps.
  const rows = await tx.$queryRaw<PartRow[]>`
    SELECT p.id AS "pipelineId", p.name AS "pipelineName", c.role, c.published,
      c.part->>'id' AS id, c.part->>'name' AS name, c.part->>'connector' AS connector, c.part->>'release' AS release
    FROM pipeline p LEFT JOIN revision r ON r.tenant_id = p.tenant_id AND r.pipeline_id = p.id AND r.number = p.published_revision
    CROSS JOIN LATERAL (VALUES (r.spec::jsonb, true), (p.draft, false)) AS s(spec, published)
    CROSS JOIN LATERAL (
      SELECT 'source' AS role, s.published, s.spec->'source' AS part
      UNION ALL SELECT 'destination', s.published, d FROM jsonb_array_elements(s.spec->'destinations') d
    ) c
    WHERE p.tenant_id = ${tenantId} AND p.deleted_at IS NULL AND s.spec IS NOT NULL
    ORDER BY p.name, p.id, c.published DESC`;
  const uses = new Map<string, ConnectorUse[]>();
  for (const { pipelineId, pipelineName, published, connector, ...part } of rows) {
    const list = uses.get(connector) ?? [];
    uses.set(connector, list);
    const use = list.find((item) => item.pipelineId === pipelineId);
    if (!use) list.push({ pipelineId, pipelineName, published, parts: [part] });
    else if (!use.parts.some((item) => item.id === part.id)) use.parts.push(part);
  }
  return uses;
}
