import type { NatsConnection } from '@nats-io/transport-node';
import { consumePacks, type PackConsumer, type StoredPack } from '@vrsky/bus/consumer';
import { findConsumerState } from '@vrsky/bus/consumer-state';
import { getLastStored } from '@vrsky/bus/stored';
import { limits } from '@vrsky/contracts/limits';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { consumerNames, streamNames, subjects } from '@vrsky/contracts/subjects';
import { trailRecordSchema } from '@vrsky/contracts/trail';
import { backoffMs } from '@vrsky/kernel/backoff';
import { describeError } from '@vrsky/kernel/errors';
import { aborted, sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { headerText } from '../core/pack-headers.ts';
import { listDestinations, type PipelinePlan } from '../core/pipeline-plan.ts';
import { createRecent } from '../core/recent.ts';
import { createRoom, loadOf, type Room } from '../core/room.ts';
import type { NodeMetrics } from '../metrics.ts';
import type { Tenant } from '../tenant.ts';
import type { Tracing } from '../tracing.ts';
import { createAnswerRoom } from './answers.ts';
import { Abandoned, ORDERED, type Ordering, type QueueName } from './pack-job.ts';
import { createPause } from './pause.ts';
import type { ReplyLine, Sender, StepRunner } from './ports.ts';
import { processPack } from './process-pack.ts';
import { publishUntilStored } from './publish-until-stored.ts';
import { createTally } from './tally.ts';
import { createTrailLane, type TrailLaneOptions } from './trail-lane.ts';

export interface RunnerOptions {
  nodeId: string;
  tenant: Tenant;
  plan: PipelinePlan;
  steps: StepRunner;
  sender: Sender;
  replies: ReplyLine;
  metrics: NodeMetrics;
  tracing: Tracing;
  log: Log;
}

/** Works off one pipeline's queues: packs as they came in, and entries on a later attempt. */
export interface PipelineRunner {
  /** Packs from now on run this revision; those in hand end with theirs. */
  update(plan: PipelinePlan): void;
  /** Keeps packs in hand alive on the server; call it well within the server's waiting time. */
  touch(nowMs: number): void;
  readonly packsInHand: number;
  readonly messagesInHand: number;
  /** Whether it reads the queue of destinations in strict order. */
  readonly isOrdered: boolean;
  /** When the oldest message was stored that waits for its next attempt in strict order; null when there is none. */
  blockedStoredAtMs(): number | null;
  /** When the oldest pack in hand was stored; null when there is none. */
  oldestStoredAtMs(): number | null;
  /** Takes no new packs; resolves when those in hand are done, or given back after `deadline`. */
  stop(deadline: AbortSignal): Promise<void>;
}

/** A pack between its delivery and its settlement. */
interface Hand {
  readonly pack: StoredPack;
  /** The same pack, delivered again while we still work on it; all are settled together. */
  readonly again: StoredPack[];
  readonly stream: QueueName;
  takenAtMs: number;
  openMessages: number;
  readonly loadOfMessage: number;
}

/** What is in hand of one queue. */
interface Line {
  readonly room: Room;
  packs: number;
  load: number;
}

/** For each of the two queues. */
const bounds = { loadMax: limits.inFlightPerPipelineMax / 2, packsMax: 512, loadFirst: limits.packMessagesMax };
const touchAfterMs = limits.ackWaitMs / 3;
/** Packs that were done lately: when their acknowledgement got lost they come again, and are acknowledged without a second delivery. */
const recentMax = 4_096;
/** A pack that meets a fault of ours this often is set aside, so that it does not hold up those behind it for ever. */
const faultsMax = 5;

export function startPipelineRunner(options: RunnerOptions): PipelineRunner {
  const { tenant, metrics, log } = options;
  const { pipelineId } = options.plan;
  const hands = new Map<string, Hand>();
  const faults = new Map<string, number>();
  const recent = createRecent(recentMax);
  const abandon = new AbortController();
  /** Packs in strict order are given back at once: their waits are long, and what was done is written down. */
  const halt = new AbortController();
  let newRevision = new AbortController();
  const blocked = new Set<{ storedAtMs: number }>();
  const pauses = {
    connector: createPause({ initialMs: 200, maxMs: 5_000 }),
    steps: createPause({ initialMs: 50, maxMs: 2_000 }),
    bus: createPause({ initialMs: 200, maxMs: 5_000 }),
  };
  const answerRoom = createAnswerRoom();
  const consumers: PackConsumer[] = [];
  const lines: Record<QueueName, Line> = { [streamNames.ingest]: createLine(), [ORDERED]: createLine(), [streamNames.retry]: createLine() };
  const trail = createTrailLane({
    nodeId: options.nodeId,
    tenantId: tenant.tenantId,
    pipelineId,
    publish: (subject, headers, body) => publishUntilStored({ tenant, pauses, stop: abandon.signal, log }, subject, headers, body),
  });
  const ordering: Ordering = {
    plan: () => plan,
    wake: () => AbortSignal.any([halt.signal, newRevision.signal]),
    trail(destinationId) {
      const subject = subjects.orderedTrail(pipelineId, destinationId);
      const publish: TrailLaneOptions['publish'] = (to, headers, body) => publishUntilStored({ tenant, pauses, stop: abandon.signal, log }, to, headers, body);
      return createTrailLane({ nodeId: options.nodeId, tenantId: tenant.tenantId, pipelineId, lingerMs: 0, subject, publish });
    },
    async lastRecord(destinationId) {
      try {
        const stored = await getLastStored(await tenant.bus.connected, streamNames.trail, subjects.orderedTrail(pipelineId, destinationId));
        return stored === null ? null : trailRecordSchema.parse(JSON.parse(Buffer.from(stored.data).toString()));
      } catch (error) {
        log.warn(
          { tenantId: tenant.tenantId, pipelineId, destinationId, err: error },
          'how far a pack in strict order had come cannot be read: it begins anew',
        );
        return null;
      }
    },
    async packsBehind() {
      try {
        return (await findConsumerState(await tenant.bus.connected, streamNames.ingest, consumerNames.ordered(pipelineId)))?.pending ?? 0;
      } catch (error) {
        log.debug({ tenantId: tenant.tenantId, pipelineId, err: error }, 'how many packs wait in strict order is not known now');
        return 0;
      }
    },
    blocked(storedAtMs) {
      const entry = { storedAtMs };
      blocked.add(entry);
      return () => void blocked.delete(entry);
    },
  };
  let plan = options.plan;
  let isOrdered = false;
  let isStopping = false;
  const onEmpty: (() => void)[] = [];

  const take = (pack: StoredPack, stream: QueueName): void => {
    const key = `${stream}:${pack.seq}:${pack.storedAtMs}`;
    if (pack.deliveryCount > 1) metrics.redelivered.inc();
    const known = hands.get(key);
    if (known) {
      known.again.push(pack);
      lines[stream].packs++;
      known.takenAtMs = Date.now();
      return;
    }
    if (recent.has(key)) return pack.ack();
    const messages = Math.max(1, Number(pack.header(packHeaders.pack)) || 1);
    const load = loadOf(messages, pack.data.length);
    lines[stream].room.expect(load);
    lines[stream].load += load;
    lines[stream].packs++;
    const hand: Hand = { pack, again: [], stream, takenAtMs: Date.now(), openMessages: messages, loadOfMessage: load / messages };
    hands.set(key, hand);
    void work(key, hand);
  };

  const work = async (key: string, hand: Hand): Promise<void> => {
    try {
      await processPack({
        nodeId: options.nodeId,
        tenant,
        plan,
        pack: hand.pack,
        stream: hand.stream,
        steps: options.steps,
        sender: options.sender,
        replies: options.replies,
        tally: createTally(metrics, tenant.tenantId),
        trail,
        tracing: options.tracing,
        log,
        pauses,
        answerRoom,
        ordering,
        onMessageDone() {
          hand.openMessages--;
          lines[hand.stream].load -= hand.loadOfMessage;
        },
        stop: hand.stream === ORDERED ? halt.signal : abandon.signal,
      });
      recent.add(key);
      faults.delete(key);
      settle(hand, (pack) => pack.ack());
    } catch (error) {
      if (error instanceof Abandoned) settle(hand, (pack) => pack.nak());
      else await giveBack(key, hand, error);
    }
    hands.delete(key);
    lines[hand.stream].packs -= 1 + hand.again.length;
    lines[hand.stream].load -= hand.openMessages * hand.loadOfMessage;
    if (hands.size === 0) for (const resolve of onEmpty.splice(0)) resolve();
  };

  /** A fault of ours: the pack comes again later, and after some times is set aside for people to look at. */
  const giveBack = async (key: string, hand: Hand, error: unknown): Promise<void> => {
    const times = (faults.get(key) ?? 0) + 1;
    faults.set(key, times);
    log.error({ tenantId: tenant.tenantId, pipelineId, stream: hand.stream, seq: hand.pack.seq, times, err: error }, 'a pack could not be processed');
    if (times < faultsMax) return settle(hand, (pack) => pack.nak(backoffMs(times, { initialMs: 1_000, maxMs: 30_000 })));
    const headers = {
      [packHeaders.msgId]: `quarantine:${key}`,
      [packHeaders.customerId]: tenant.tenantId,
      [packHeaders.pipeline]: pipelineId,
      [packHeaders.reasonCode]: 'internal',
      [packHeaders.reason]: headerText(`A fault of the platform: ${describeError(error)}`),
    };
    try {
      await tenant.bus.publish(subjects.quarantine(pipelineId), headers, hand.pack.data);
    } catch (cause) {
      log.error({ tenantId: tenant.tenantId, pipelineId, err: cause }, 'a pack could not be set aside; it comes again');
      return settle(hand, (pack) => pack.nak(30_000));
    }
    metrics.quarantined.inc({ tenant: metrics.tenantLabel(tenant.tenantId), hop: 'fault' }, hand.openMessages);
    faults.delete(key);
    settle(hand, (pack) => pack.ack());
  };

  const consume = (nc: NatsConnection, stream: QueueName, consumer: string): void => {
    const consuming = consumePacks(nc, {
      stream: stream === ORDERED ? streamNames.ingest : stream,
      consumer,
      maxPacks: () => lines[stream].room.packsMax(lines[stream]),
      onPack: (pack) => take(pack, stream),
      onError: (error) => log.warn({ tenantId: tenant.tenantId, pipelineId, stream, err: error }, 'the queue cannot be read now; trying again'),
    });
    consuming.done.catch((error: unknown) => {
      if (!isStopping) log.error({ tenantId: tenant.tenantId, pipelineId, stream, err: error }, 'the queue is not read any more');
    });
    consumers.push(consuming);
  };

  const consumeOrdered = (nc: NatsConnection): void => {
    if (isOrdered || isStopping) return;
    isOrdered = true;
    consume(nc, ORDERED, consumerNames.ordered(pipelineId));
  };
  /** A pipeline without strict order may have had it: then the queue is there, perhaps with packs in it. */
  const lookForOrdered = async (nc: NatsConnection): Promise<void> => {
    while (!isOrdered && !isStopping) {
      try {
        if (isInOrder(plan) || (await findConsumerState(nc, streamNames.ingest, consumerNames.ordered(pipelineId))) !== null) consumeOrdered(nc);
        return;
      } catch (error) {
        log.debug({ tenantId: tenant.tenantId, pipelineId, err: error }, 'whether there is a queue in strict order is not known yet');
      }
      await sleep(LOOK_AGAIN_MS, halt.signal);
    }
  };

  tenant.bus.connected.then(
    (nc) => {
      if (isStopping) return;
      void lookForOrdered(nc);
      consume(nc, streamNames.ingest, consumerNames.pipeline(pipelineId));
      consume(nc, streamNames.retry, consumerNames.retry(pipelineId));
    },
    () => {}, // closed before it was there: nothing to work off
  );

  return {
    update(next) {
      const isNew = next.revision !== plan.revision;
      plan = next;
      if (!isNew) return;
      newRevision.abort();
      newRevision = new AbortController();
      if (isInOrder(next)) tenant.bus.connected.then(consumeOrdered, () => {}); // as below
    },
    touch(nowMs) {
      for (const hand of hands.values()) {
        if (nowMs - hand.takenAtMs < touchAfterMs) continue;
        hand.takenAtMs = nowMs;
        (hand.again.at(-1) ?? hand.pack).working();
      }
    },
    get packsInHand() {
      return hands.size;
    },
    get messagesInHand() {
      let messages = 0;
      for (const hand of hands.values()) messages += hand.openMessages;
      return messages;
    },
    get isOrdered() {
      return isOrdered;
    },
    blockedStoredAtMs: () => (blocked.size === 0 ? null : Math.min(...[...blocked].map(({ storedAtMs }) => storedAtMs))),
    oldestStoredAtMs() {
      let oldest: number | null = null;
      for (const { pack, stream } of hands.values()) {
        const storedAtMs = stream === streamNames.retry ? Number(pack.header(packHeaders.storedAt)) || pack.storedAtMs : pack.storedAtMs;
        oldest = oldest === null ? storedAtMs : Math.min(oldest, storedAtMs);
      }
      return oldest;
    },
    async stop(deadline) {
      isStopping = true;
      halt.abort();
      await Promise.all(consumers.map((consumer) => consumer.stop()));
      if (hands.size === 0) return;
      const empty = new Promise<void>((resolve) => onEmpty.push(resolve));
      await Promise.race([empty, aborted(deadline)]);
      // What is still on its way to a receiver may yet arrive there; the pack comes again in any case.
      abandon.abort();
      for (const hand of hands.values()) settle(hand, (pack) => pack.nak());
    },
  };
}

function settle(hand: Hand, answer: (pack: StoredPack) => void): void {
  answer(hand.pack);
  for (const pack of hand.again) answer(pack);
}

function isInOrder(plan: PipelinePlan): boolean {
  return listDestinations(plan).some(({ isStrict }) => isStrict);
}

const LOOK_AGAIN_MS = 5_000;

function createLine(): Line {
  return { room: createRoom(bounds), packs: 0, load: 0 };
}
