import type { StoredPack } from '@vrsky/bus/consumer';
import type { PubAck } from '@vrsky/bus/publisher';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { streamNames, subjects } from '@vrsky/contracts/subjects';
import type { TrailDestination, TrailMessage, TrailRecord, TrailStep } from '@vrsky/contracts/trail';
import { AppError, isAppError } from '@vrsky/kernel/errors';
import type { Log } from '@vrsky/kernel/log';
import type { LogicResult } from '@vrsky/logic/pool';
import { decodeMessage, encodeMessage, joinEntries, type Message, splitBatch } from '@vrsky/proto/message-codec';
import { judgeAttempt } from '../core/attempts.ts';
import { findOrigin, findPackProblem, formatOrigin, headerText, packHeadersOf } from '../core/pack-headers.ts';
import type { DestinationPlan, PipelinePlan } from '../core/pipeline-plan.ts';
import { findTraceContext, formatTraceparent, traceContextOfId, traceIdOf } from '../core/trace-context.ts';
import { answerText, reasonText } from '../core/trail-text.ts';
import type { Tenant } from '../tenant.ts';
import { type NodeSpan, SpanKind, type Tracing } from '../tracing.ts';
import type { Pause } from './pause.ts';
import type { Sender, SendOutcome, StepRunner } from './ports.ts';
import type { Tally } from './tally.ts';

export interface PackJob {
  nodeId: string;
  tenant: Tenant;
  plan: PipelinePlan;
  pack: StoredPack;
  /** Which of the two queues it came from: packs as they came in, or single entries on a later attempt. */
  stream: typeof streamNames.ingest | typeof streamNames.retry;
  steps: StepRunner;
  sender: Sender;
  tally: Tally;
  tracing: Tracing;
  log: Log;
  /** Shared waits: for a connector that is away, for the steps' workers, for NATS. */
  pauses: { connector: Pause; steps: Pause; bus: Pause };
  /** Called once for each message when nothing is left to do for it but the books. */
  onMessageDone(): void;
  stop: AbortSignal;
}

/** Thrown when a stop comes before everything is done: the pack goes back to the server. */
export class Abandoned extends Error {}

/** One message of a pack on its way through this node. */
interface Pass {
  readonly message: Message;
  readonly raw: Uint8Array;
  readonly index: number;
  readonly traceId: string;
  readonly span: NodeSpan | null;
}

/** What the headers of a message that travels alone say about it; for packs as they came in, all of it is empty. */
interface Lane {
  readonly attemptsMade: number;
  readonly destinationId: string;
  readonly origin: string;
  readonly storedAt: string;
  readonly replayOf: string;
}

const firstPass: Lane = { attemptsMade: 0, destinationId: '', origin: '', storedAt: '', replayOf: '' };

/**
 * Brings every message of a pack to an outcome at each destination, or into the retry lane, and writes it into the trail.
 * When this resolves, all of that is stored and the pack may be acknowledged.
 */
export async function processPack(job: PackJob): Promise<void> {
  const startedMs = Date.now();
  const opened = openPack(job);
  if (typeof opened === 'string') {
    await quarantine(job, opened);
    return;
  }
  const lane = readLane(job, opened);
  const passes = opened.map(({ message, raw }, index) => startPass(job, message, raw, index, startedMs));
  const results = job.plan.steps.length === 0 ? null : await runSteps(job, passes);
  const messages = await Promise.all(passes.map((pass, i) => finish(job, lane, passes.length, pass, results?.[i] ?? null)));
  await storeTrail(job, messages);
  job.tally.flush();
}

/** The entries of a pack, or why it must not be delivered. */
function openPack({ pack, tenant, plan }: PackJob): { message: Message; raw: Uint8Array }[] | string {
  let entries: { message: Message; raw: Uint8Array }[];
  try {
    entries = splitBatch(pack.data).map(({ raw }) => ({ raw, message: decodeMessage(raw) }));
  } catch (error) {
    if (error instanceof Error && error.name === 'WireError') return `The pack cannot be read: ${error.message}.`;
    throw error;
  }
  return findPackProblem(tenant.stamp, plan.pipelineId, { header: pack.header, entries: entries.map(({ message }) => message) }) ?? entries;
}

async function quarantine(job: PackJob, problem: string): Promise<void> {
  const { tenant, plan, pack, log, tally } = job;
  const messages = Math.max(1, Number(pack.header(packHeaders.pack)) || 1);
  log.error({ tenantId: tenant.tenantId, pipelineId: plan.pipelineId, seq: pack.seq, messages, problem }, 'a pack was set aside');
  tally.quarantined(messages);
  const headers = {
    [packHeaders.msgId]: `quarantine:${job.stream}:${pack.seq}:${pack.storedAtMs}`,
    [packHeaders.customerId]: tenant.tenantId,
    [packHeaders.pipeline]: plan.pipelineId,
    [packHeaders.origin]: formatOrigin({ seq: pack.seq, index: 0 }),
    [packHeaders.reasonCode]: 'mismatch',
    [packHeaders.reason]: headerText(problem),
  };
  await publishUntilStored(job, subjects.quarantine(plan.pipelineId), headers, pack.data);
}

/** Believed only on subjects where entries travel alone: what a connector writes into its entries counts for nothing. */
function readLane({ pack, plan, stream }: PackJob, [entry]: { message: Message }[]): Lane {
  const destinationId = () => pack.header(packHeaders.destination) || (entry?.message.destinationId ?? '');
  const replayOf = pack.header(packHeaders.replayOf);
  if (pack.subject === subjects.resend(plan.pipelineId)) return { ...firstPass, destinationId: destinationId(), replayOf };
  if (stream !== streamNames.retry) return firstPass;
  return {
    attemptsMade: Math.max(0, Number(pack.header(packHeaders.attempt)) || 0),
    destinationId: destinationId(),
    origin: pack.header(packHeaders.origin),
    storedAt: pack.header(packHeaders.storedAt),
    replayOf,
  };
}

function startPass({ tracing, plan }: PackJob, message: Message, raw: Uint8Array, index: number, startedMs: number): Pass {
  const span = tracing.isRecording
    ? tracing.start('process', SpanKind.CONSUMER, message, startedMs, {
        'messaging.system': 'nats',
        'messaging.operation.type': 'process',
        'messaging.message.id': message.messageId,
        'vrsky.customer.id': plan.tenantId,
        'vrsky.pipeline.id': plan.pipelineId,
        'vrsky.pipeline.revision': plan.revision,
      })
    : null;
  return { message, raw, index, span, traceId: span === null ? traceIdOf(message.traceparent, message.messageId) : span.traceparent.slice(3, 35) };
}

async function runSteps(job: PackJob, passes: Pass[]): Promise<LogicResult[]> {
  const { plan, tenant, steps, pauses, stop, log, tally } = job;
  const messages = passes.map(({ message, traceId }) => ({
    id: message.messageId,
    customerId: tenant.tenantId,
    traceId,
    headers: message.headers,
    contentType: message.contentType,
    payload: message.payload,
    receivedAtMs: Math.floor(message.receivedAtUs / 1_000),
  }));
  for (;;) {
    const startedMs = Date.now();
    try {
      const results = await steps.run({ tenantId: tenant.tenantId, steps: plan.steps, messages });
      pauses.steps.over();
      tally.steps(plan.steps, results);
      if (job.tracing.isRecording) traceSteps(plan, passes, results, startedMs);
      return results;
    } catch (error) {
      // The workers are overloaded or stopping: the messages are not to blame and wait.
      if (!isAppError(error)) throw error;
      log.warn({ tenantId: tenant.tenantId, pipelineId: plan.pipelineId, err: error }, 'the steps take no work now');
    }
    await pauses.steps.wait(stop);
    throwIfStopped(stop);
  }
}

/** A pack's messages go through a worker one after the other, so each begins where the one before it ended. */
function traceSteps(plan: PipelinePlan, passes: Pass[], results: LogicResult[], startedMs: number): void {
  const kinds = new Map(plan.steps.map((step) => [step.stepId, step]));
  let atMs = startedMs;
  for (const [i, { span }] of passes.entries()) {
    for (const run of results[i]?.steps ?? []) {
      const step = kinds.get(run.stepId);
      const child = span?.child(`step ${step?.name ?? run.stepId}`, SpanKind.INTERNAL, atMs, { 'vrsky.step.id': run.stepId, 'vrsky.step.kind': step?.kind ?? '', 'vrsky.step.result': run.result, 'vrsky.step.instructions': run.instructions });
      atMs += run.durationUs / 1_000;
      child?.end(atMs, run.result === 'failed' ? (run.reason ?? 'failed') : undefined);
    }
  }
}

/** Everything that is left for one message once its steps have run. */
async function finish(job: PackJob, lane: Lane, messagesInPack: number, pass: Pass, result: LogicResult | null): Promise<TrailMessage> {
  const { message, span } = pass;
  const targets = targetsOf(job.plan, lane.destinationId);
  const payload = result?.outcome === 'ok' ? result : message;
  const destinations = await Promise.all(
    targets.map((target): Promise<TrailDestination> | TrailDestination => {
      if (result?.outcome === 'filtered') return { id: target.id, state: 'filtered', attempt: 0, code: result.code, reason: reasonText(result.reason) };
      if (result?.outcome === 'failed') return deadLetter(job, lane, pass, target.id, { attempt: 0, code: result.code, reason: stepReason(job.plan, result) });
      if (target.plan === null) return deadLetter(job, lane, pass, target.id, { attempt: lane.attemptsMade, code: 'destination_removed', reason: 'This destination is no longer part of the pipeline.' });
      return deliver(job, lane, messagesInPack, pass, target.plan, payload);
    }),
  );
  for (const { state } of destinations) job.tally.outcome(state);
  span?.end(Date.now());
  job.onMessageDone();
  return toTrail(job.pack, lane, pass, result, destinations);
}

/** All destinations, or the one that the retry lane names, which may have gone meanwhile. */
function targetsOf(plan: PipelinePlan, only: string): { id: string; plan: DestinationPlan | null }[] {
  if (only === '') return plan.destinations.map((destination) => ({ id: destination.id, plan: destination }));
  return [{ id: only, plan: plan.destinations.find(({ id }) => id === only) ?? null }];
}

function stepReason(plan: PipelinePlan, result: { stepId: string; reason: string }): string {
  const name = plan.steps.find(({ stepId }) => stepId === result.stepId)?.name ?? result.stepId;
  return reasonText(`Step "${name}": ${result.reason}`);
}

/** One attempt, made again while only the connector is to blame. */
async function deliver(job: PackJob, lane: Lane, messagesInPack: number, pass: Pass, destination: DestinationPlan, body: { payload: Uint8Array; contentType: string }): Promise<TrailDestination> {
  const { pauses, stop, tally } = job;
  const attempt = lane.attemptsMade + 1;
  for (let connectorFailures = 0; ; ) {
    const outcome = await send(job, pass, destination, attempt, body);
    tally.attempt(outcome);
    if (outcome.source === 'plugin' && outcome.status === 'retryable') connectorFailures++;
    else pauses.connector.over();
    const verdict = judgeAttempt(outcome, { attempt, connectorFailures, policy: destination.policy, nowMs: Date.now() });
    if (verdict.kind === 'wait') {
      await pauses.connector.wait(stop);
      throwIfStopped(stop);
      continue;
    }
    const facts = attemptFacts(destination.id, attempt, outcome, messagesInPack);
    switch (verdict.kind) {
      case 'delivered':
        return { ...facts, state: 'delivered' };
      case 'retry':
        await scheduleRetry(job, lane, pass, destination.id, attempt, verdict.atMs);
        return { ...facts, state: 'retrying', code: verdict.code, reason: reasonText(verdict.reason), nextAtMs: verdict.atMs };
      case 'dead':
        return { ...facts, ...(await deadLetter(job, lane, pass, destination.id, { attempt, code: verdict.code, reason: verdict.reason })) };
    }
  }
}

async function send({ sender, tenant, plan }: PackJob, pass: Pass, destination: DestinationPlan, attempt: number, body: { payload: Uint8Array; contentType: string }): Promise<SendOutcome> {
  const { message, span } = pass;
  const client = span?.child('deliver', SpanKind.CLIENT, Date.now(), { 'vrsky.destination.id': destination.id, 'vrsky.attempt': attempt }) ?? null;
  const isKnown = findTraceContext(message.traceparent) !== null;
  const outcome = await sender.send(
    {
      connectionId: destination.connectionId,
      customerId: tenant.tenantId,
      pipelineId: plan.pipelineId,
      messageId: message.messageId,
      // Without a span of ours the sender's context is passed on as it is.
      traceparent: client?.traceparent ?? (isKnown ? message.traceparent : formatTraceparent(traceContextOfId(message.messageId))),
      tracestate: isKnown ? message.tracestate : '',
      attempt,
      headers: message.headers,
      payload: body.payload,
      contentType: body.contentType,
    },
    destination.deadlineMs,
  );
  if (client !== null) {
    if (outcome.peerStatus > 0) client.set({ 'http.response.status_code': outcome.peerStatus });
    if (outcome.status !== 'ok') client.set({ 'error.type': outcome.code });
    client.end(outcome.startedAtMs > 0 ? outcome.startedAtMs + outcome.durationUs / 1_000 : Date.now(), outcome.status === 'ok' ? undefined : outcome.reason);
  }
  return outcome;
}

function attemptFacts(id: string, attempt: number, outcome: SendOutcome, messagesInPack: number) {
  const peerAnswer = answerText(outcome.peerAnswer, outcome.status === 'ok', messagesInPack);
  return {
    id,
    attempt,
    startedAtMs: Math.floor(outcome.startedAtMs),
    durationUs: Math.round(outcome.durationUs),
    ...(outcome.peerStatus > 0 ? { peerStatus: outcome.peerStatus } : {}),
    ...(peerAnswer === undefined ? {} : { peerAnswer }),
  };
}

/** Alone, for this destination, into the lane where it waits for its time. */
async function scheduleRetry(job: PackJob, lane: Lane, pass: Pass, destinationId: string, attempt: number, atMs: number): Promise<void> {
  const headers = { ...aloneHeaders(job, lane, pass, destinationId, `retry:${pass.message.messageId}:${destinationId}:${attempt}`, attempt), [packHeaders.notBefore]: String(atMs) };
  await publishUntilStored(job, subjects.retry(job.plan.pipelineId), headers, aloneBody(pass, destinationId, attempt));
}

/** Kept for good before the pack is acknowledged. */
async function deadLetter(job: PackJob, lane: Lane, pass: Pass, destinationId: string, end: { attempt: number; code: string; reason: string }): Promise<TrailDestination> {
  const { messageId } = pass.message;
  const headers = {
    ...aloneHeaders(job, lane, pass, destinationId, `dlq:${messageId}:${destinationId}`, end.attempt),
    [packHeaders.reasonCode]: end.code,
    [packHeaders.reason]: headerText(end.reason),
  };
  const { seq } = await publishUntilStored(job, subjects.dlq(job.plan.pipelineId), headers, aloneBody(pass, destinationId, end.attempt));
  return { id: destinationId, state: 'dead_lettered', attempt: end.attempt, code: end.code, reason: reasonText(end.reason), dlqSeq: seq };
}

function aloneHeaders({ tenant, plan, pack }: PackJob, lane: Lane, pass: Pass, destinationId: string, msgId: string, attempt: number): Record<string, string> {
  const { messageId } = pass.message;
  return {
    ...packHeadersOf(tenant.stamp, { msgId, pipelineId: plan.pipelineId, revision: plan.revision, connectionId: plan.sourceConnectionId, messageIds: [messageId] }),
    [packHeaders.attempt]: String(attempt),
    [packHeaders.destination]: destinationId,
    [packHeaders.origin]: lane.origin === '' ? formatOrigin({ seq: pack.seq, index: pass.index }) : lane.origin,
    [packHeaders.storedAt]: lane.storedAt === '' ? String(pack.storedAtMs) : lane.storedAt,
    ...(lane.replayOf === '' ? {} : { [packHeaders.replayOf]: lane.replayOf }),
  };
}

/** The message as it came in; its steps run again on the next attempt, since they are deterministic. */
function aloneBody(pass: Pass, destinationId: string, attempt: number): Uint8Array {
  return joinEntries([Buffer.concat([pass.raw, encodeMessage({ attempt, destinationId })])]);
}

function toTrail(pack: StoredPack, lane: Lane, { message, index, traceId }: Pass, result: LogicResult | null, destinations: TrailDestination[]): TrailMessage {
  const origin = findOrigin(lane.origin) ?? { seq: pack.seq, index };
  const replayOf = Number(lane.replayOf);
  return {
    id: message.messageId,
    seq: origin.seq,
    index: origin.index,
    receivedAtMs: message.receivedAtUs > 0 ? Math.floor(message.receivedAtUs / 1_000) : pack.storedAtMs,
    storedAtMs: Number(lane.storedAt) || pack.storedAtMs,
    bytes: message.payload.length,
    contentType: message.contentType,
    traceId,
    ...(lane.replayOf !== '' && Number.isSafeInteger(replayOf) ? { replayOf } : {}),
    steps: result === null ? noSteps : result.steps.map(({ stepId, instructions, durationUs, result: made }) => ({ id: stepId, instructions, durationUs: Math.round(durationUs), result: made })),
    destinations,
  };
}

const noSteps: TrailStep[] = [];

async function storeTrail(job: PackJob, messages: TrailMessage[]): Promise<void> {
  const { plan, tenant, pack } = job;
  const record: TrailRecord = { v: 1, nodeId: job.nodeId, tenantId: tenant.tenantId, pipelineId: plan.pipelineId, revision: plan.revision, atMs: Date.now(), messages };
  // The same pack is written once, whoever processes it: what the first pass did is what happened, a repeat adds copies only.
  const headers = { [packHeaders.msgId]: `trail:${job.stream}:${pack.seq}:${pack.storedAtMs}`, [packHeaders.customerId]: tenant.tenantId, [packHeaders.pipeline]: plan.pipelineId };
  await publishUntilStored(job, subjects.trail(plan.pipelineId), headers, Buffer.from(JSON.stringify(record)));
}

/** Publishes until it is on disk: the pack is in our hands meanwhile, so a bus that is away or full holds back, and loses nothing. */
async function publishUntilStored(job: PackJob, subject: string, headers: Record<string, string>, body: Uint8Array): Promise<PubAck> {
  const { tenant, pauses, stop, log } = job;
  for (;;) {
    try {
      const ack = await tenant.bus.publish(subject, headers, body);
      pauses.bus.over();
      return ack;
    } catch (error) {
      if (!isAppError(error) || !passes.has(error.code)) throw new AppError({ code: 'DELIVERY.NOT_STORED', kind: 'internal', message: `could not store on ${subject}`, cause: error });
      log.warn({ tenantId: tenant.tenantId, subject, err: error }, 'not stored yet; trying again');
    }
    await pauses.bus.wait(stop);
    throwIfStopped(stop);
  }
}

const passes: ReadonlySet<string> = new Set(['BUS.UNAVAILABLE', 'BUS.FULL']);

function throwIfStopped(stop: AbortSignal): void {
  if (stop.aborted) throw new Abandoned('stopped before the pack was done');
}
