import { type Bundle, compareFences, type Fence, type Grant, grantSealContext } from '@vrsky/contracts/bundle';
import type { Report } from '@vrsky/contracts/node-status';
import { unseal } from '@vrsky/contracts/seal';
import { documentPlace, type SecretsDocument, secretSetHash } from '@vrsky/contracts/sealed-secrets';
import type { TrustedKey } from '@vrsky/contracts/signed';
import { publicMessageOf } from '@vrsky/kernel/errors';
import type { Log } from '@vrsky/kernel/log';
import { judgeBundle, judgeGrant, judgeSecrets, type Standing } from '../core/judge-documents.ts';
import { type TenantSecrets, toTenantSecrets } from '../core/sealed-secret.ts';
import type { LastGood, LastGoodStore } from './last-good.ts';

export interface Deployment {
  bundle: Bundle;
  grant: Grant;
  proofKey: Buffer;
  /** What the bundle's pipelines refer to. */
  secrets: TenantSecrets;
  /** Older bundles, the newest first: where a pipeline's revision is refused, its last one goes on. */
  earlier: Bundle[];
  /** From disk, at start: NATS may be away, and nothing is waited for. */
  isRestore: boolean;
}

/** Makes a tenant's configuration the running one. */
export interface Deployer {
  /** Throws when nothing of it could be applied: what ran before goes on. */
  deploy(deployment: Deployment): Promise<Report['pipelines']>;
  remove(tenantId: string): Promise<void>;
}

/** One tenant's documents on this node: judged, kept on disk, then applied, one after the other. */
export interface TenantDesk {
  offerBundle(text: string): Promise<void>;
  offerGrant(text: string): Promise<void>;
  offerSecrets(text: string): Promise<void>;
  /** From disk, at start. */
  restore(documents: LastGood): Promise<void>;
  /** The node has got something that a refused pipeline may have lacked: what is ours is applied anew, if anything of it failed. */
  tryFailed(): Promise<void>;
  /** The pool no longer serves this tenant. */
  remove(): Promise<void>;
  /** What the pool's head says is current. */
  setDesired(fence: Fence): void;
  report(): Report;
  readonly desired: Fence | null;
  readonly applied: { fence: Fence; issuedAt: string } | null;
  /** True when the head speaks of a newer bundle than we run, or we still lack a part. */
  isBehind(): boolean;
}

export interface TenantDeskOptions {
  tenantId: string;
  nodeId: string;
  pool: string;
  trusted: readonly TrustedKey[];
  sealPrivateKey: string;
  store: LastGoodStore;
  deployer: Deployer;
  /** The report has changed. */
  onReport(report: Report): void;
  onRejected(code: string): void;
  log: Log;
}

interface Held<T> {
  value: T;
  text: string;
  standing: Standing;
}

export function createTenantDesk(options: TenantDeskOptions): TenantDesk {
  const { tenantId, nodeId, pool, trusted, store, deployer, log } = options;
  let bundle: Held<Bundle> | null = null;
  let grant: Held<Grant> | null = null;
  /** The newest that came; of use to the bundle that names them. */
  let secrets: Held<SecretsDocument> | null = null;
  /** Those that `bundle` runs with. */
  let appliedSecrets: Held<SecretsDocument> | null = null;
  /** Verified, and waits for its grant or its secrets. */
  let candidate: Held<Bundle> | null = null;
  /** Of which something still runs beside `bundle`. */
  let earlier: Held<Bundle>[] = [];
  let desired: Fence | null = null;
  let received: Fence | null = null;
  let rejected: Report['rejected'] = null;
  let pipelines: Report['pipelines'] = [];
  let refusedText = '';
  let queue: Promise<void> = Promise.resolve();

  /** Documents of one tenant are dealt with in order of arrival, and a fault of one ends nothing. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    queue = queue.then(work).catch((error: unknown) => reject('NODE.FAULT', publicMessageOf(error), null, error));
    return queue;
  };

  const report = (): Report => ({
    v: 1,
    nodeId,
    tenantId,
    at: new Date().toISOString(),
    received,
    applied: bundle?.standing.fence ?? null,
    rejected,
    pipelines,
  });
  const changed = (): void => options.onReport(report());

  const reject = (code: string, reason: string, fence: Fence | null, error?: unknown): void => {
    rejected = { ...fence, code, reason: reason.length > 2_000 ? `${reason.slice(0, 1_999)}…` : reason, at: new Date().toISOString() };
    options.onRejected(code);
    log.error({ tenantId, code, reason, fence, ...(error === undefined ? {} : { err: error }) }, 'configuration refused; what runs goes on');
    changed();
  };

  const offerBundle = async (text: string, isRestore = false): Promise<void> => {
    const standing = candidate?.standing ?? bundle?.standing ?? null;
    // Watches and polls bring the same document again and again; a bad one was reported once.
    if (text === candidate?.text || text === refusedText) return;
    if (text === bundle?.text) return backToNormal();
    const judgement = judgeBundle({ text, pool, tenantId, trusted, standing, ...(isRestore || desired === null ? {} : { least: desired }) });
    if (judgement.verdict === 'same') return backToNormal();
    if (judgement.verdict === 'refuse') {
      refusedText = text;
      return reject(judgement.code, judgement.reason, judgement.fence);
    }
    received = judgement.standing.fence;
    candidate = { value: judgement.value, text, standing: judgement.standing };
    const lacks = grant === null ? 'grant' : secretsFor(candidate.value) === undefined ? 'secrets' : null;
    if (grant === null || lacks !== null) {
      log.info({ tenantId, fence: received }, `a bundle is here; its ${lacks} not yet`);
      return changed();
    }
    await apply(candidate, grant, isRestore);
  };

  /** The document with exactly the secrets that a bundle names; null when it names none, undefined when it is not here. */
  const secretsFor = ({ secrets: wanted }: Bundle): Held<SecretsDocument> | null | undefined => {
    if (wanted === undefined) return null;
    return [secrets, appliedSecrets].find((held) => held !== null && secretSetHash(held.value.secrets) === wanted) ?? undefined;
  };

  const offerSecrets = async (text: string): Promise<void> => {
    if (text === secrets?.text) return;
    const judgement = judgeSecrets({ text, nodeId, tenantId, trusted, standing: secrets?.standing ?? null });
    if (judgement.verdict === 'same') return;
    if (judgement.verdict === 'refuse') return reject(judgement.code, judgement.reason, judgement.fence);
    secrets = { value: judgement.value, text, standing: judgement.standing };
    // Those of a bundle that is still to come wait for it.
    const target = candidate ?? bundle;
    if (target !== null && grant !== null && secretsFor(target.value) === secrets) await apply(target, grant);
  };

  /** What runs is what the control plane has there: an earlier refusal is over. */
  const backToNormal = (): void => {
    refusedText = '';
    if (rejected === null) return;
    rejected = null;
    changed();
  };

  const offerGrant = async (text: string): Promise<void> => {
    if (text === grant?.text) return;
    const judgement = judgeGrant({ text, nodeId, tenantId, trusted, standing: grant?.standing ?? null });
    if (judgement.verdict === 'same') return;
    if (judgement.verdict === 'refuse') return reject(judgement.code, judgement.reason, judgement.fence);
    const next = { value: judgement.value, text, standing: judgement.standing };
    const target = [candidate, bundle].find((held) => held !== null && secretsFor(held.value) !== undefined);
    if (target) await apply(target, next);
    else grant = next;
  };

  /** Disk first: what runs is always what a restart would run. */
  const apply = async (nextBundle: Held<Bundle>, nextGrant: Held<Grant>, isRestore = false): Promise<void> => {
    const fallbacks = bundle === null || bundle === nextBundle ? earlier : [bundle, ...earlier];
    const nextSecrets = secretsFor(nextBundle.value);
    if (nextSecrets === undefined) throw new Error('bug: a bundle is applied without its secrets');
    const keep = (older: Held<Bundle>[]) =>
      store.write(tenantId, {
        bundle: nextBundle.text,
        grant: nextGrant.text,
        secrets: nextSecrets?.text ?? null,
        earlier: older.map(({ text }) => text),
      });
    try {
      const proofKey = unseal(options.sealPrivateKey, grantSealContext(nodeId, tenantId), nextGrant.value.sealedProofKey);
      await keep(fallbacks);
      pipelines = await deployer.deploy({
        bundle: nextBundle.value,
        grant: nextGrant.value,
        proofKey,
        secrets: open(nextSecrets),
        earlier: fallbacks.map(({ value }) => value),
        isRestore,
      });
      earlier = fallbacks.filter(({ value }) => runsFrom(value, nextBundle.value, pipelines));
      if (earlier.length < fallbacks.length) await keep(earlier);
    } catch (error) {
      // Not held as ours: the next poll offers the same documents again.
      candidate = null;
      return reject('BUNDLE.NOT_APPLIED', `The node could not apply it. ${publicMessageOf(error)}`, nextBundle.standing.fence, error);
    }
    bundle = nextBundle;
    grant = nextGrant;
    appliedSecrets = nextSecrets;
    if (candidate === nextBundle) candidate = null;
    rejected = null;
    refusedText = '';
    log.info({ tenantId, fence: nextBundle.standing.fence, pipelines: pipelines.length }, 'configuration applied');
    changed();
  };

  const open = (held: Held<SecretsDocument> | null): TenantSecrets =>
    held === null ? new Map() : toTenantSecrets(held.value.secrets, options.sealPrivateKey, { nodeId, tenantId, within: documentPlace(held.value) });

  /** Verified again, like everything from disk; one that does not pass is left out. */
  const restoreEarlier = (texts: readonly string[]): Held<Bundle>[] =>
    texts.flatMap((text) => {
      const judgement = judgeBundle({ text, pool, tenantId, trusted, standing: null });
      return judgement.verdict === 'accept' ? [{ value: judgement.value, text, standing: judgement.standing }] : [];
    });

  return {
    offerBundle: (text) => inTurn(() => offerBundle(text)),
    offerGrant: (text) => inTurn(() => offerGrant(text)),
    offerSecrets: (text) => inTurn(() => offerSecrets(text)),
    restore: (documents) =>
      inTurn(async () => {
        earlier = restoreEarlier(documents.earlier);
        await offerGrant(documents.grant);
        if (documents.secrets !== null) await offerSecrets(documents.secrets);
        await offerBundle(documents.bundle, true);
      }),
    tryFailed: () =>
      inTurn(async () => {
        if (bundle !== null && grant !== null && candidate === null && pipelines.some(({ state }) => state === 'failed')) await apply(bundle, grant);
      }),
    remove: () =>
      inTurn(async () => {
        await deployer.remove(tenantId);
        await store.remove(tenantId);
        bundle = candidate = grant = secrets = appliedSecrets = null;
        earlier = [];
        pipelines = [];
        log.info({ tenantId }, 'the pool no longer serves this tenant; its work has ended here');
        changed();
      }),
    setDesired(fence) {
      desired = fence;
    },
    report,
    get desired() {
      return desired;
    },
    get applied() {
      return bundle === null ? null : { fence: bundle.standing.fence, issuedAt: bundle.value.issuedAt };
    },
    isBehind: () => bundle === null || (desired !== null && compareFences(bundle.standing.fence, desired) < 0),
  };
}

/** Does a pipeline run with a revision that only this older bundle has? */
function runsFrom(older: Bundle, current: Bundle, pipelines: Report['pipelines']): boolean {
  const has = (bundle: Bundle, pipelineId: string, revision: number) =>
    bundle.pipelines.some((pipeline) => pipeline.pipelineId === pipelineId && pipeline.revision === revision);
  return pipelines.some(({ pipelineId, revision, state }) => state === 'running' && has(older, pipelineId, revision) && !has(current, pipelineId, revision));
}
