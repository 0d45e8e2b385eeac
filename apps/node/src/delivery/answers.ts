import { createHash } from 'node:crypto';
import { answerId } from '@vrsky/contracts/ids';
import { ANSWER_STATUS, packHeaders } from '@vrsky/contracts/message-headers';
import { subjects } from '@vrsky/contracts/subjects';
import { encodeMessage, joinEntries } from '@vrsky/proto/message-codec';
import { formatOrdered, formatOrigin, packHeadersOf } from '../core/pack-headers.ts';
import type { DestinationPlan, StagePlan } from '../core/pipeline-plan.ts';
import { type PackJob, type Pass, repliedMessage } from './pack-job.ts';
import type { SendOutcome } from './ports.ts';
import { publishUntilStored } from './publish-until-stored.ts';

/** The answers to one pack's messages on their way into the stream, as the input of what comes next: those of one destination go together. */
export interface Answers {
  /** Resolves with the id of the message that the answer is, once it is stored. */
  store(pass: Pass, destination: DestinationPlan, outcome: SendOutcome): Promise<string>;
  /** A delivery to this destination came to another end. */
  skip(destinationId: string): void;
}

/** How many bytes of answers a pipeline may have under way into the stream. */
export interface AnswerRoom {
  /** Resolves when there is room. */
  free(): Promise<void>;
  take(bytes: number): void;
  give(bytes: number): void;
}

/** Larger packs of answers do not wait for their last one, so that what waits is small however many packs are in hand. */
const packBytesMin = 65_536;
/** For each pipeline. What its deliveries have under way comes on top. */
const roomBytes = 32 * 1_048_576;

interface Answer {
  index: number;
  messageId: string;
  answerTo: string;
  /** Where and for which message a sender waits. */
  replyTo: string;
  replyFor: string;
  raw: Uint8Array;
}

interface Batch {
  readonly destination: DestinationPlan;
  /** Deliveries of the pack that have not ended. */
  open: number;
  bytes: number;
  answers: Answer[];
  stored: PromiseWithResolvers<void>;
}

/** For `deliveries` messages to each destination of a stage; null when no answer goes on from it. */
export function createAnswers(job: PackJob, stage: StagePlan, deliveries: number): Answers | null {
  const goingOn = stage.destinations.filter(({ isInput }) => isInput);
  if (goingOn.length === 0) return null;
  const batches = new Map(
    goingOn.map((destination): [string, Batch] => [destination.id, { destination, open: deliveries, bytes: 0, answers: [], stored: Promise.withResolvers() }]),
  );

  const flush = (batch: Batch): void => {
    const { destination, answers, bytes, stored } = batch;
    if (answers.length === 0) return;
    Object.assign(batch, { bytes: 0, answers: [], stored: Promise.withResolvers() });
    job.answerRoom.take(bytes);
    publish(
      job,
      destination,
      answers.sort((a, b) => a.index - b.index),
    )
      .finally(() => job.answerRoom.give(bytes))
      .then(stored.resolve, stored.reject);
  };
  const ended = (batch: Batch): void => {
    batch.open--;
    if (batch.open === 0 || batch.bytes >= packBytesMin) flush(batch);
  };

  return {
    async store(pass, destination, outcome) {
      const batch = batches.get(destination.id) as Batch;
      const answer = toAnswer(job, pass, destination, outcome);
      batch.answers.push(answer);
      batch.bytes += answer.raw.length;
      const { stored } = batch;
      ended(batch);
      await stored.promise;
      return answer.messageId;
    },
    skip(destinationId) {
      const batch = batches.get(destinationId);
      if (batch !== undefined) ended(batch);
    },
  };
}

/** A message of ours: of what the receiver said only the body and its type are in it. */
function toAnswer({ tenant, plan }: PackJob, pass: Pass, destination: DestinationPlan, outcome: SendOutcome): Answer {
  const { message, index, span, trace } = pass;
  const messageId = answerId(message.messageId, destination.id);
  const headers = message.headers.filter(([name]) => name !== ANSWER_STATUS);
  if (outcome.peerStatus > 0) headers.push([ANSWER_STATUS, String(outcome.peerStatus)]);
  const raw = encodeMessage({
    seq: index + 1,
    connectionId: destination.connectionId,
    customerId: tenant.tenantId,
    pipelineId: plan.pipelineId,
    messageId,
    traceparent: (span ?? trace).traceparent,
    tracestate: trace.tracestate,
    receivedAtUs: Date.now() * 1_000,
    headers,
    payload: outcome.peerAnswer,
    contentType: outcome.peerAnswerType,
  });
  return { index, messageId, answerTo: message.messageId, replyTo: pass.lane.replyTo, replyFor: repliedMessage(pass), raw };
}

async function publish(job: PackJob, destination: DestinationPlan, answers: Answer[]): Promise<void> {
  const ids = answers.map(({ messageId }) => messageId);
  const headers = headersOf(job, destination, answers, ids.length === 1 ? `answer:${ids[0]}` : `answer:${digest(ids)}`);
  const body = joinEntries(answers.map(({ raw }) => raw));
  const { pipelineId, stages } = job.plan;
  const ordered = formatOrdered(stages.get(destination.id)?.destinations ?? []);
  const stored =
    ordered === ''
      ? await publishUntilStored(job, subjects.answer(pipelineId), headers, body, { unlessFull: true })
      : await publishUntilStored(job, subjects.orderedAnswer(pipelineId), { ...headers, [packHeaders.ordered]: ordered }, body, { unlessFull: true });
  if (stored === null) await Promise.all(answers.map((answer) => publishBeside(job, destination, answer)));
}

/**
 * The stream is full of what waits, and nothing of it may go before its answers are stored: they take the lane that has room of its own. It forgets
 * what it has handed over, so such an answer has no place where its payload could be looked at later, and it keeps no order: a pipeline that stood still
 * until its messages are too old would lose more.
 */
async function publishBeside(job: PackJob, destination: DestinationPlan, answer: Answer): Promise<void> {
  const headers = {
    ...headersOf(job, destination, [answer], `answer:${answer.messageId}`),
    [packHeaders.notBefore]: String(Date.now()),
    [packHeaders.attempt]: '0',
    [packHeaders.origin]: formatOrigin({ seq: 0, index: 0 }),
  };
  await publishUntilStored(job, subjects.retry(job.plan.pipelineId), headers, joinEntries([answer.raw]));
}

function headersOf({ tenant, plan }: PackJob, destination: DestinationPlan, answers: Answer[], msgId: string): Record<string, string> {
  const replyTo = answers[0]?.replyTo ?? '';
  return {
    ...packHeadersOf(tenant.stamp, {
      msgId,
      pipelineId: plan.pipelineId,
      revision: plan.revision,
      connectionId: destination.connectionId,
      messageIds: answers.map(({ messageId }) => messageId),
    }),
    [packHeaders.answerOf]: destination.id,
    [packHeaders.answerTo]: answers.map(({ answerTo }) => answerTo).join(' '),
    ...(replyTo === '' ? {} : { [packHeaders.replyTo]: replyTo, [packHeaders.replyFor]: answers.map(({ replyFor }) => replyFor).join(' ') }),
  };
}

function digest(ids: string[]): string {
  return createHash('sha256').update(ids.join('\n')).digest('base64url');
}

export function createAnswerRoom(): AnswerRoom {
  let bytes = 0;
  let freed = Promise.withResolvers<void>();
  return {
    async free() {
      while (bytes >= roomBytes) await freed.promise;
    },
    take(more) {
      bytes += more;
    },
    give(less) {
      bytes -= less;
      freed.resolve();
      freed = Promise.withResolvers();
    },
  };
}
