import { packHeaders } from '@vrsky/contracts/message-headers';
import { streamNames, subjects } from '@vrsky/contracts/subjects';
import { decodeMessage, type Message, splitBatch } from '@vrsky/proto/message-codec';
import { findAnswerProblem, findPackProblem, formatOrigin, headerText, listAnswered } from '../core/pack-headers.ts';
import { formatTraceparent, isTraceparent, traceContextOfId } from '../core/trace-context.ts';
import { SpanKind } from '../tracing.ts';
import { type Lane, ORDERED, type PackJob, type Pass } from './pack-job.ts';
import { publishUntilStored } from './publish-until-stored.ts';

const firstPass: Lane = { attemptsMade: 0, destinationId: '', origin: '', storedAt: '', replayOf: '', answerOf: '', answerTo: [], replyTo: '', replyFor: [] };

/** The messages of a pack; null when it is not what the platform stamped for this tenant and pipeline, and was set aside. */
export async function openPack(job: PackJob): Promise<Pass[] | null> {
  const startedMs = Date.now();
  const entries = readEntries(job);
  if (typeof entries === 'string') {
    await quarantine(job, entries);
    return null;
  }
  const lane = readLane(job, entries);
  return entries.map(({ message, raw }, index) => startPass(job, { message, raw, index, lane, packSize: entries.length }, startedMs));
}

/** The entries of a pack, or why it must not be delivered. */
function readEntries({ pack, tenant, plan }: PackJob): { message: Message; raw: Uint8Array }[] | string {
  let entries: { message: Message; raw: Uint8Array }[];
  try {
    entries = splitBatch(pack.data).map(({ raw }) => ({ raw, message: decodeMessage(raw) }));
  } catch (error) {
    if (error instanceof Error && error.name === 'WireError') return `The pack cannot be read: ${error.message}.`;
    throw error;
  }
  const claim = { header: (name: string) => pack.header(name), entries: entries.map(({ message }) => message) };
  const problem = findPackProblem(tenant.stamp, plan.pipelineId, claim);
  if (problem !== null) return problem;
  return (isOfAnswers(pack.subject, plan.pipelineId) ? findAnswerProblem(claim) : null) ?? entries;
}

function isOfAnswers(subject: string, pipelineId: string): boolean {
  return subject === subjects.answer(pipelineId) || subject === subjects.orderedAnswer(pipelineId);
}

async function quarantine(job: PackJob, problem: string): Promise<void> {
  if (job.stream === ORDERED) return; // the other queue has the same pack and sets it aside
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

/** Believed only on subjects where nothing comes in from outside: what a connector writes into its entries counts for nothing. */
function readLane({ pack, plan, stream }: PackJob, [entry]: { message: Message }[]): Lane {
  const destinationId = () => pack.header(packHeaders.destination) || (entry?.message.destinationId ?? '');
  const replayOf = pack.header(packHeaders.replayOf);
  const ofAnswers = () => ({ answerOf: pack.header(packHeaders.answerOf), answerTo: listAnswered(pack.header(packHeaders.answerTo)) });
  const ofReply = () => ({ replyTo: pack.header(packHeaders.replyTo), replyFor: listAnswered(pack.header(packHeaders.replyFor)) });
  const resent: string[] = [subjects.resend(plan.pipelineId), subjects.orderedResend(plan.pipelineId)];
  if (isOfAnswers(pack.subject, plan.pipelineId)) return { ...firstPass, ...ofAnswers(), ...ofReply() };
  if (resent.includes(pack.subject)) return { ...firstPass, destinationId: destinationId(), replayOf, ...ofAnswers() };
  if (stream !== streamNames.retry) return plan.reply === undefined ? firstPass : { ...firstPass, ...ofReply() };
  return {
    attemptsMade: Math.max(0, Number(pack.header(packHeaders.attempt)) || 0),
    destinationId: destinationId(),
    origin: pack.header(packHeaders.origin),
    storedAt: pack.header(packHeaders.storedAt),
    replayOf,
    ...ofAnswers(),
    ...ofReply(),
  };
}

function startPass({ tracing, plan }: PackJob, part: Omit<Pass, 'span' | 'trace'>, startedMs: number): Pass {
  const { message } = part;
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
  const trace = isTraceparent(message.traceparent) ? message : { traceparent: formatTraceparent(traceContextOfId(message.messageId)), tracestate: '' };
  return { ...part, span, trace };
}
