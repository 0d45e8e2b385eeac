import type { NatsConnection } from '@nats-io/transport-node';
import type { Bucket } from '@vrsky/bus/bucket';
import { createConfigBucket } from '@vrsky/bus/config-bucket';
import { connectBus, isUp } from '@vrsky/bus/connect';
import { createStatusBucket } from '@vrsky/bus/status-bucket';
import type { Head } from '@vrsky/contracts/bundle';
import type { EnrolmentResponse } from '@vrsky/contracts/enrolment';
import { limits } from '@vrsky/contracts/limits';
import type { Lease, Offers, Report } from '@vrsky/contracts/node-status';
import { configKeys, inboxPrefix, statusKeys } from '@vrsky/contracts/subjects';
import { describeError } from '@vrsky/kernel/errors';
import { every, type Part } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { judgeHead, type Standing } from '../core/judge-documents.ts';
import type { LastGoodStore } from './last-good.ts';
import { createTenantDesk, type Deployer, type TenantDesk } from './tenant-desk.ts';

/** The node's line to the control plane. Work goes on without it; with it, configuration comes in and reports go out. */
export interface ControlLink extends Part {
  /** Tells the control plane soon, not only with the next lease, and tries again what failed for want of a connector. */
  offersChanged(): void;
  isUp(): boolean;
  /** When the control plane's records were last read; null before the first time. */
  readonly contactAtMs: number | null;
  tenants(): { tenantId: string; desired: number | null; applied: number | null }[];
  /** True once everything on disk runs, and either the control plane was read or there was something on disk. */
  isLoaded(): boolean;
}

export interface ControlLinkOptions {
  url: string;
  seed: string;
  sealPrivateKey: string;
  enrolment: EnrolmentResponse;
  store: LastGoodStore;
  deployer: Deployer;
  /** As it is now, but for the time. */
  lease(): Omit<Lease, 'at' | 'v' | 'stopping'>;
  offers(): Pick<Offers, 'connectors' | 'problems'>;
  onRejected(code: string): void;
  log: Log;
}

export function createControlLink(options: ControlLinkOptions): ControlLink {
  const { enrolment, store, log } = options;
  const { nodeId, pool, trustedKeys } = enrolment;
  const ended = new AbortController();
  const desks = new Map<string, TenantDesk>();
  const unsent = new Map<string, Report>();
  const failed = Promise.withResolvers<void>();
  let running: Promise<void> = Promise.resolve();
  let nc: NatsConnection | null = null;
  let status: Bucket | null = null;
  let head: { value: Head; text: string; standing: Standing } | null = null;
  let contactAtMs: number | null = null;
  let isLoaded = false;
  let isStopping = false;
  let isSending = false;

  const deskOf = (tenantId: string): TenantDesk => {
    let desk = desks.get(tenantId);
    if (!desk) {
      desk = createTenantDesk({
        ...{ tenantId, nodeId, pool, store, log },
        trusted: trustedKeys,
        sealPrivateKey: options.sealPrivateKey,
        deployer: options.deployer,
        onRejected: options.onRejected,
        onReport(report) {
          unsent.set(tenantId, report);
          void sendReports();
        },
      });
      const fence = head?.value.tenants[tenantId];
      if (fence) desk.setDesired({ epoch: fence.epoch, generation: fence.generation });
      desks.set(tenantId, desk);
    }
    return desk;
  };

  /** Reports that could not be sent stay, and the next lease takes them along; only the newest of each tenant counts. */
  const sendReports = async (): Promise<void> => {
    if (isSending) return;
    isSending = true;
    try {
      for (let next = firstOf(unsent); next !== undefined && status !== null && nc !== null && isUp(nc); next = firstOf(unsent)) {
        const [tenantId, report] = next;
        await status.put(statusKeys.report(nodeId, tenantId), JSON.stringify(report));
        if (unsent.get(tenantId) === report) unsent.delete(tenantId);
      }
    } catch (error) {
      log.warn({ error: describeError(error) }, 'a report could not be sent yet');
    }
    isSending = false;
  };

  const offerHead = async (text: string): Promise<void> => {
    if (text === head?.text) return;
    const judgement = judgeHead({ text, pool, trusted: trustedKeys, standing: head?.standing ?? null });
    if (judgement.verdict === 'same') return;
    if (judgement.verdict === 'refuse') {
      options.onRejected(judgement.code);
      log.error({ code: judgement.code, reason: judgement.reason }, "the pool's head was refused");
      return;
    }
    head = { value: judgement.value, text, standing: judgement.standing };
    await store.writeHead(text).catch((error: unknown) => log.error({ err: error }, "the pool's head could not be kept on disk"));
    for (const [tenantId, { epoch, generation }] of Object.entries(head.value.tenants)) deskOf(tenantId).setDesired({ epoch, generation });
  };

  /** A tenant ends here only when a signed head that is newer than what runs leaves it out: never because a record is missing. */
  const removeLeftOut = async (): Promise<void> => {
    if (head === null) return;
    for (const [tenantId, desk] of desks) {
      const { applied } = desk;
      if (applied === null || head.value.tenants[tenantId] !== undefined || Date.parse(applied.issuedAt) >= Date.parse(head.value.issuedAt)) continue;
      await desk.remove();
      desks.delete(tenantId);
    }
  };

  const offer = async (key: string, value: string): Promise<void> => {
    contactAtMs = Date.now();
    const tenantKey = tenantOf(key, configKeys.bundle(pool, ''));
    const grantKey = tenantOf(key, configKeys.grant(nodeId, ''));
    const secretsKey = tenantOf(key, configKeys.secrets(nodeId, ''));
    if (key === configKeys.head(pool)) await offerHead(value).then(removeLeftOut);
    else if (tenantKey !== null) await deskOf(tenantKey).offerBundle(value);
    else if (grantKey !== null) await deskOf(grantKey).offerGrant(value);
    else if (secretsKey !== null) await deskOf(secretsKey).offerSecrets(value);
  };

  /** The truth, beside the watch's hints: a watch may have missed something without knowing. */
  const poll = async (config: Bucket): Promise<void> => {
    const current = await config.get(configKeys.head(pool));
    contactAtMs = Date.now();
    if (current) await offer(configKeys.head(pool), current.value);
    isLoaded = true;
    for (const tenantId of Object.keys(head?.value.tenants ?? {})) {
      if (!deskOf(tenantId).isBehind()) continue;
      for (const key of [configKeys.grant(nodeId, tenantId), configKeys.secrets(nodeId, tenantId), configKeys.bundle(pool, tenantId)]) {
        const found = await config.get(key);
        if (found) await offer(key, found.value);
      }
    }
  };

  let offered = '';
  /** Written when it has changed, and anew on a new line: the bucket may be new as well. */
  const writeOffers = async (): Promise<void> => {
    const offers = options.offers();
    const text = JSON.stringify(offers);
    if (text === offered || nc === null || status === null || !isUp(nc)) return;
    const document: Offers = { v: 1, nodeId, at: new Date().toISOString(), ...offers };
    await status.put(statusKeys.offers(nodeId), JSON.stringify(document));
    offered = text;
  };

  const writeLease = async (): Promise<void> => {
    if (nc === null || status === null || !isUp(nc)) return;
    const lease: Lease = { v: 1, ...options.lease(), at: new Date().toISOString(), stopping: isStopping };
    await status.put(statusKeys.lease(nodeId), JSON.stringify(lease));
    await writeOffers();
    await sendReports();
  };

  const run = async (): Promise<void> => {
    const stop = ended.signal;
    const onError = (error: unknown): void => log.warn({ error: describeError(error) }, 'the control plane cannot be reached now; what runs goes on');
    nc = await connectBus({
      url: options.url,
      name: `node ${nodeId}`,
      inbox: inboxPrefix(nodeId),
      credentials: () => ({ jwt: enrolment.controlJwt, seed: options.seed }),
      waitOnFirstConnect: true,
      stop,
      log: (line) => log.warn(line),
    });
    if (stop.aborted) return nc.close();
    status = createStatusBucket(nc);
    const config = createConfigBucket(nc);
    const watch = (filter: string) =>
      config.watch(filter, ({ key, value }) => void (value === null ? undefined : offer(key, value).catch(onError)), stop, {
        onError,
        // The buckets may be new as well: everything that was reported is written again.
        onCurrent: () => {
          for (const [tenantId, desk] of desks) unsent.set(tenantId, desk.report());
          offered = '';
          void writeOffers().catch(onError);
          void sendReports();
        },
      });
    await Promise.all([
      watch(configKeys.poolAll(pool)),
      watch(configKeys.nodeAll(nodeId)),
      every(limits.configPollMs, () => poll(config), stop, onError),
      every(limits.leaseEveryMs, writeLease, stop, onError),
    ]);
  };

  return {
    name: 'control link',
    offersChanged() {
      for (const desk of desks.values()) void desk.tryFailed();
      void writeOffers().catch((error: unknown) =>
        log.warn({ error: describeError(error) }, 'what this node offers could not be told yet; the next lease takes it along'),
      );
    },
    async start() {
      const keptHead = await store.readHead();
      if (keptHead !== null) await offerHead(keptHead);
      const kept = await store.readAll();
      await Promise.all([...kept].map(([tenantId, documents]) => deskOf(tenantId).restore(documents)));
      isLoaded = kept.size > 0;
      running = run().catch((error: unknown) => {
        if (!ended.signal.aborted) failed.reject(error);
      });
    },
    done: failed.promise,
    isUp: () => nc !== null && isUp(nc),
    get contactAtMs() {
      return contactAtMs;
    },
    tenants: () =>
      [...desks].map(([tenantId, desk]) => ({ tenantId, desired: desk.desired?.generation ?? null, applied: desk.applied?.fence.generation ?? null })),
    isLoaded: () => isLoaded,
    async drain() {
      isStopping = true;
      await writeLease();
    },
    async [Symbol.asyncDispose]() {
      ended.abort();
      await running;
      await nc?.close();
    },
  };
}

/** The tenant in a key that begins with `prefix`; null when it is another sort of key. */
function tenantOf(key: string, prefix: string): string | null {
  if (!key.startsWith(prefix)) return null;
  const tenantId = key.slice(prefix.length);
  return /^[A-Za-z0-9_-]{1,64}$/.test(tenantId) ? tenantId : null;
}

function firstOf<K, V>(map: ReadonlyMap<K, V>): [K, V] | undefined {
  for (const entry of map) return entry;
  return undefined;
}
