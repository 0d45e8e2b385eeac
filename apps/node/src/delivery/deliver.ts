import { limits } from '@vrsky/contracts/limits';
import type { TrailDestination } from '@vrsky/contracts/trail';
import { judgeAttempt } from '../core/attempts.ts';
import type { DestinationPlan } from '../core/pipeline-plan.ts';
import { answerText, reasonText } from '../core/trail-text.ts';
import { SpanKind } from '../tracing.ts';
import type { Answers } from './answers.ts';
import { type PackJob, type Pass, throwIfStopped } from './pack-job.ts';
import type { SendOutcome } from './ports.ts';
import { replyWithAnswer } from './reply.ts';
import { deadLetter, scheduleRetry } from './travel-alone.ts';

/** What goes to a destination: the message as it came in, or what the steps made of it. */
export interface Body {
  payload: Uint8Array;
  contentType: string;
}

/** One attempt; what has to be tried again goes into the retry lane. */
export async function deliver(job: PackJob, pass: Pass, destination: DestinationPlan, body: Body, answers: Answers | null): Promise<TrailDestination> {
  const attempt = pass.lane.attemptsMade + 1;
  const made = await makeAttempt(job, pass, { destination, attempt, body }).catch((error: unknown) => {
    answers?.skip(destination.id);
    throw error;
  });
  const { verdict, facts } = made;
  if (verdict.kind === 'delivered') return delivered(job, pass, { destination, attempt, ...made }, answers);
  answers?.skip(destination.id);
  switch (verdict.kind) {
    case 'retry':
      await scheduleRetry(job, pass, destination.id, attempt, verdict.atMs);
      return { ...facts, state: 'retrying', code: verdict.code, reason: reasonText(verdict.reason), nextAtMs: verdict.atMs };
    case 'dead':
      return { ...facts, ...(await deadLetter(job, pass, destination.id, { attempt, code: verdict.code, reason: verdict.reason })) };
  }
}

interface Delivered {
  destination: DestinationPlan;
  attempt: number;
  outcome: SendOutcome;
  facts: ReturnType<typeof attemptFacts>;
}

/** Where the answer goes on, it is stored first. */
export async function delivered(job: PackJob, pass: Pass, made: Delivered, answers: Answers | null): Promise<TrailDestination> {
  const { destination, attempt, outcome, facts } = made;
  if (destination.isInput && answers !== null) {
    if (outcome.peerAnswerCut) {
      answers.skip(destination.id);
      return { ...facts, ...(await deadLetter(job, pass, destination.id, { attempt, ...answerTooLarge })) };
    }
    const answerId = await answers.store(pass, destination, outcome);
    replyWithAnswer(job, pass, destination.id, outcome);
    return { ...facts, state: 'delivered', answerId };
  }
  replyWithAnswer(job, pass, destination.id, outcome);
  return { ...facts, state: 'delivered' };
}

const answerTooLarge = {
  code: 'answer_too_large',
  reason: `The receiver has the message, but its answer is longer than ${limits.wholeAnswerBytesMax.toLocaleString('en')} bytes, so it cannot be the input of what comes next.`,
};

export interface Attempt {
  destination: DestinationPlan;
  /** From 1. */
  attempt: number;
  body: Body;
}

/** One attempt, made again while only the connector is to blame; what came of it, and what it says in the trail. */
export async function makeAttempt(job: PackJob, pass: Pass, { destination, attempt, body }: Attempt) {
  const { pauses, stop, tally } = job;
  if (destination.isInput) {
    await job.answerRoom.free();
    throwIfStopped(stop);
  }
  for (let connectorFailures = 0; ; ) {
    const outcome = await send(job, pass, destination, attempt, body);
    tally.attempt(outcome);
    // Given back already: whoever takes the message next decides about it.
    if (outcome.status !== 'ok') throwIfStopped(stop);
    if (outcome.source === 'plugin' && outcome.status === 'retryable') connectorFailures++;
    else pauses.connector.over();
    const verdict = judgeAttempt(outcome, { attempt, connectorFailures, policy: destination.policy, nowMs: Date.now() });
    if (verdict.kind === 'wait') {
      await pauses.connector.wait(stop);
      throwIfStopped(stop);
      continue;
    }
    return { verdict, outcome, facts: attemptFacts(destination.id, attempt, outcome, pass.packSize) };
  }
}

async function send({ sender, tenant, plan }: PackJob, pass: Pass, destination: DestinationPlan, attempt: number, body: Body): Promise<SendOutcome> {
  const { message, span, trace } = pass;
  const client = span?.child('deliver', SpanKind.CLIENT, Date.now(), { 'vrsky.destination.id': destination.id, 'vrsky.attempt': attempt }) ?? null;
  const outcome = await sender.send(
    {
      connectionId: destination.connectionId,
      customerId: tenant.tenantId,
      pipelineId: plan.pipelineId,
      messageId: message.messageId,
      traceparent: (client ?? trace).traceparent,
      tracestate: trace.tracestate,
      attempt,
      headers: message.headers,
      payload: body.payload,
      contentType: body.contentType,
      ...(destination.answerBytesMax > 0 ? { answerBytesMax: destination.answerBytesMax } : {}),
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

function attemptFacts(id: string, attempt: number, outcome: SendOutcome, packSize: number) {
  const peerAnswer = answerText(outcome.peerAnswer, outcome.status === 'ok', packSize);
  return {
    id,
    attempt,
    startedAtMs: Math.floor(outcome.startedAtMs),
    durationUs: Math.round(outcome.durationUs),
    ...(outcome.peerStatus > 0 ? { peerStatus: outcome.peerStatus } : {}),
    ...(peerAnswer === undefined ? {} : { peerAnswer }),
  };
}
