import type { DevFile } from '@vrsky/contracts/dev-file';
import { isHttp } from '@vrsky/contracts/pipeline-spec';
import { withTenant } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import { hashApiKeySecret, parseApiKeyToken } from '../../../server/api-key-token.ts';
import type { TenantContext } from '../../../server/context.ts';
import { hashPassword } from '../../../server/passwords.ts';
import { apiKeyRole } from '../../../server/permissions.ts';
import { createPipeline } from '../../pipelines/server/create-pipeline.ts';
import { ingestUrl, receiverUrl } from '../../pipelines/server/get-pipeline.ts';
import { type PipelineRow, parseDraft } from '../../pipelines/server/pipeline-row.ts';
import { publishPipeline } from '../../pipelines/server/publish-pipeline.ts';
import { saveDraft } from '../../pipelines/server/save-draft.ts';
import { demoDraft, demoName } from './demo-pipeline.ts';
import type { SeedCredentials } from './seed-file.ts';
import { ensureMembership, ensureTenant, ensureUser, type PlatformContext } from './tenants.ts';

export type SeedResult = Pick<DevFile, 'user' | 'tenant' | 'apiKey' | 'demo' | 'otherTenant'>;

/** Two tenants with a person and an API key each, and the first one's demo pipeline, published. Run again, it adds what is missing. */
export async function seed(ctx: PlatformContext, credentials: SeedCredentials): Promise<SeedResult> {
  const acme = await seedTenant(ctx, { slug: 'acme', name: 'Acme', email: 'ada@acme.test', person: 'Ada Lovelace', ...credentials.acme });
  const globex = await seedTenant(ctx, { slug: 'globex', name: 'Globex', email: 'grace@globex.test', person: 'Grace Hopper', ...credentials.globex });
  const demo = await seedDemo(acme.context);
  return {
    user: acme.user,
    tenant: acme.tenant,
    apiKey: credentials.acme.apiKey,
    demo,
    otherTenant: { ...globex.tenant, user: globex.user, apiKey: credentials.globex.apiKey },
  };
}

interface SeededTenant {
  context: TenantContext;
  tenant: DevFile['tenant'];
  user: DevFile['user'];
}

async function seedTenant(
  ctx: PlatformContext,
  t: { slug: string; name: string; email: string; person: string; password: string; apiKey: string },
): Promise<SeededTenant> {
  const { tenantId } = await ensureTenant(ctx, t);
  const { userId } = await ensureUser(ctx.db, { email: t.email, name: t.person, passwordHash: await hashPassword(t.password) });
  await ensureMembership(ctx.db, { tenantId, userId, role: 'owner' });
  const context: TenantContext = { ...ctx, tenantId, actor: { kind: 'user', id: userId, name: t.person }, role: 'owner' };
  await ensureApiKey(context, t.apiKey);
  return { context, tenant: { slug: t.slug, customerId: tenantId }, user: { email: t.email, password: t.password } };
}

async function ensureApiKey({ db, tenantId, actor }: TenantContext, token: string): Promise<void> {
  const parsed = parseApiKeyToken(token);
  if (!parsed) throw new AppError({ code: 'SEED.BAD_API_KEY', kind: 'invalid', message: 'the API key in the seed file is not one of ours' });
  const key = {
    tenantId,
    id: parsed.id,
    name: 'Development',
    prefix: token.slice(0, 18),
    secretHash: hashApiKeySecret(parsed.secret),
    role: apiKeyRole,
    createdBy: actor.id,
  };
  await withTenant(db, tenantId, (tx) => tx.apiKey.upsert({ where: { tenantId_id: { tenantId, id: key.id } }, create: key, update: {} }));
}

async function seedDemo(ctx: TenantContext): Promise<DevFile['demo']> {
  const row = (await findDemo(ctx)) ?? (await createDemo(ctx));
  await followReceiver(ctx, row);
  return { pipelineId: row.id, ingestUrl: ingestUrl(ctx.platform, row.inletPath), receiverUrl: receiverUrl(ctx.platform, ctx.tenantId) };
}

/** The oldest published pipeline of that name: a person may have edited it, and it is still the demo. */
function findDemo({ db, tenantId }: TenantContext): Promise<PipelineRow | null> {
  return withTenant(db, tenantId, (tx) =>
    tx.pipeline.findFirst({ where: { tenantId, name: demoName, deletedAt: null, publishedRevision: { not: null } }, orderBy: { createdAt: 'asc' } }),
  );
}

async function createDemo(ctx: TenantContext): Promise<PipelineRow> {
  const { id } = await createPipeline(ctx, { name: demoName });
  const row = await withTenant(ctx.db, ctx.tenantId, (tx) => tx.pipeline.findUniqueOrThrow({ where: { tenantId_id: { tenantId: ctx.tenantId, id } } }));
  await saveAndPublish(ctx, row, demoDraft(parseDraft(row).source, receiverUrl(ctx.platform, ctx.tenantId)));
  return row;
}

/** A stack started on other ports has its receiver elsewhere. */
async function followReceiver(ctx: TenantContext, row: PipelineRow): Promise<void> {
  const url = receiverUrl(ctx.platform, ctx.tenantId);
  const bin = new URL(url).pathname;
  const draft = parseDraft(row);
  const isOld = (text: string) => URL.canParse(text) && new URL(text).pathname === bin && text !== url;
  if (!draft.destinations.some((destination) => isHttp(destination) && isOld(destination.settings.url))) return;
  const destinations = draft.destinations.map((item) => (isHttp(item) && isOld(item.settings.url) ? { ...item, settings: { ...item.settings, url } } : item));
  await saveAndPublish(ctx, row, { ...draft, destinations });
}

async function saveAndPublish(ctx: TenantContext, row: PipelineRow, draft: ReturnType<typeof parseDraft>): Promise<void> {
  const { draftVersion } = await saveDraft(ctx, { id: row.id, draft, draftVersion: row.draftVersion });
  const result = await publishPipeline(ctx, { id: row.id, draftVersion });
  if (!result.ok)
    throw new AppError({
      code: 'SEED.DEMO_REFUSED',
      kind: 'internal',
      message: `the demo pipeline cannot be published: ${result.problems.map((problem) => `${problem.path} ${problem.message}`).join('; ')}`,
    });
}
