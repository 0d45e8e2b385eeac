import { createHash } from 'node:crypto';
import { issueTenantJwt, type TenantAccount } from '@vrsky/bus/admin';
import type { Bucket } from '@vrsky/bus/bucket';
import { type Fence, type Grant, grantSchema, grantSealContext, type Head, headSchema } from '@vrsky/contracts/bundle';
import { canonicalJson, contentHash } from '@vrsky/contracts/canonical-json';
import { seal } from '@vrsky/contracts/seal';
import { type SealedSecretRecord, type SecretsDocument, secretsDocumentSchema } from '@vrsky/contracts/sealed-secrets';
import { signEnvelope } from '@vrsky/contracts/signed';
import { deriveProofKey } from '../../features/tenancy/server/tenant-account.ts';
import type { Platform } from '../../server/platform.ts';

/** Puts `text` under `key` unless it is there. Another writer in between makes it throw `BUS.CONFLICT`: then look again. */
export async function ensureDocument(bucket: Bucket, key: string, text: string): Promise<'written' | 'there'> {
  const standing = await bucket.get(key);
  if (standing?.value === text) return 'there';
  // A deleted key has a revision too, but get() does not tell it: without an entry, whatever is there is overwritten.
  await bucket.put(key, text, standing ? { expectedRevision: standing.revision } : {});
  return 'written';
}

export interface GrantNode {
  id: string;
  pool: string;
  identityKey: string;
  sealKey: string;
}

/** Raised when nodes need other rights than those they were granted. */
const GRANT_FORM = 3;

/** Changes when a grant that was issued no longer fits the keys on either side. */
export function grantBasis(platform: Platform, node: GrantNode, tenantId: string): string {
  return createHash('sha256')
    .update(canonicalJson([GRANT_FORM, node, tenantId, platform.kek.id, platform.bundleKey.keyId]))
    .digest('base64url');
}

/** A node's way into a tenant's account and the tenant's proof key, which only this node can unseal. */
export async function signGrant(platform: Platform, node: GrantNode, account: TenantAccount, fence: Fence): Promise<string> {
  const { tenantId, accountSeed } = account;
  const grant: Grant = grantSchema.parse({
    v: 1,
    nodeId: node.id,
    tenantId,
    ...fence,
    natsJwt: await issueTenantJwt(accountSeed, { nodeId: node.id, pool: node.pool, publicKey: node.identityKey }),
    sealedProofKey: seal(node.sealKey, grantSealContext(node.id, tenantId), deriveProofKey(platform.kek, tenantId)),
  });
  return JSON.stringify(signEnvelope('grant', canonicalJson(grant), platform.bundleKey));
}

/** Raised when nodes need other words about secrets than those they were given. */
const SECRETS_FORM = 1;

/** Changes when what a node was given of a tenant's secrets no longer is what it should have. `set`: the hash that the bundle names. */
export function secretsBasis(platform: Platform, node: GrantNode, tenantId: string, { set, epoch }: { set: string; epoch: number }): string {
  return createHash('sha256')
    .update(canonicalJson([SECRETS_FORM, node.id, node.sealKey, tenantId, set, epoch, platform.bundleKey.keyId]))
    .digest('base64url');
}

/** The secrets that a tenant's bundle needs, for one node. */
export function signSecrets(platform: Platform, nodeId: string, tenantId: string, { fence, secrets }: { fence: Fence; secrets: SealedSecretRecord[] }): string {
  const document: SecretsDocument = secretsDocumentSchema.parse({ v: 1, nodeId, tenantId, ...fence, secrets });
  return JSON.stringify(signEnvelope('secrets', canonicalJson(document), platform.bundleKey));
}

export interface BundleFence {
  tenantId: string;
  epoch: number;
  generation: number;
  hash: string;
}

/** What the head of a pool is about, apart from its own fence: the same bundles need no new head. */
export function headContentHash(platform: Platform, epoch: number, bundles: BundleFence[]): string {
  return contentHash(canonicalJson([epoch, platform.bundleKey.keyId, bundles]));
}

export function signHead(platform: Platform, pool: string, fence: Fence, bundles: BundleFence[]): string {
  const tenants = Object.fromEntries(bundles.map(({ tenantId, ...rest }) => [tenantId, rest]));
  const head: Head = headSchema.parse({ v: 1, pool, ...fence, issuedAt: new Date().toISOString(), tenants });
  return JSON.stringify(signEnvelope('head', canonicalJson(head), platform.bundleKey));
}
