import type { TenantTx } from '@vrsky/db/client';
import type { SecretUse } from '../types.ts';

/** By a secret's name, the pipelines whose settings refer to it: as the nodes run them, or in the draft only. */
export async function listSecretUses(tx: TenantTx, tenantId: string): Promise<Map<string, SecretUse[]>> {
  // In the database, because drafts carry all the code of their steps.
  const rows = await tx.$queryRaw<(SecretUse & { name: string })[]>`
    SELECT DISTINCT p.id AS "pipelineId", p.name AS "pipelineName", s.published, n.name #>> '{}' AS name
    FROM pipeline p LEFT JOIN revision r ON r.tenant_id = p.tenant_id AND r.pipeline_id = p.id AND r.number = p.published_revision
    CROSS JOIN LATERAL (VALUES (r.spec::jsonb, true), (p.draft, false)) AS s(spec, published)
    CROSS JOIN LATERAL (
      SELECT s.spec->'source'->'settings' AS settings UNION ALL SELECT d->'settings' FROM jsonb_array_elements(s.spec->'destinations') d
    ) c
    CROSS JOIN LATERAL jsonb_path_query(c.settings, 'lax $.**."$secret"') AS n(name)
    WHERE p.tenant_id = ${tenantId} AND p.deleted_at IS NULL AND s.spec IS NOT NULL AND jsonb_typeof(n.name) = 'string'
    ORDER BY p.name, p.id, s.published DESC`;
  const uses = new Map<string, SecretUse[]>();
  for (const { name, ...use } of rows) {
    const list = uses.get(name) ?? [];
    uses.set(name, list);
    if (!list.some(({ pipelineId }) => pipelineId === use.pipelineId)) list.push(use);
  }
  return uses;
}
