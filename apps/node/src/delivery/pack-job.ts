import type { StoredPack } from '@vrsky/bus/consumer';
import type { streamNames } from '@vrsky/contracts/subjects';
import type { TrailRecord } from '@vrsky/contracts/trail';
import type { Log } from '@vrsky/kernel/log';
import type { Message } from '@vrsky/proto/message-codec';
import type { PipelinePlan } from '../core/pipeline-plan.ts';
import type { Tenant } from '../tenant.ts';
import type { NodeSpan, Tracing } from '../tracing.ts';
import type { AnswerRoom } from './answers.ts';
import type { Pause } from './pause.ts';
import type { ReplyLine, Sender, StepRunner } from './ports.ts';
import type { Tally } from './tally.ts';
import type { TrailLane } from './trail-lane.ts';

/** The queues of a pipeline: packs as they came in, the same for destinations in strict order, and single entries on a later attempt. */
export type QueueName = typeof streamNames.ingest | typeof ORDERED | typeof streamNames.retry;
export const ORDERED = 'ORDERED';

/** A pack to work on, and what it takes. */
export interface PackJob {
  nodeId: string;
  tenant: Tenant;
  plan: PipelinePlan;
  pack: StoredPack;
  stream: QueueName;
  steps: StepRunner;
  sender: Sender;
  replies: ReplyLine;
  tally: Tally;
  trail: TrailLane;
  tracing: Tracing;
  log: Log;
  /** Shared waits: for a connector that is away, for the steps' workers, for NATS. */
  pauses: { connector: Pause; steps: Pause; bus: Pause };
  answerRoom: AnswerRoom;
  ordering: Ordering;
  /** Called once for each message when nothing is left to do for it but the books. */
  onMessageDone(): void;
  stop: AbortSignal;
}

/** What a pack for destinations in strict order needs beside: it may be in hand for hours. */
export interface Ordering {
  /** The revision of now. */
  plan(): PipelinePlan;
  /** Aborts when a wait is to end early: at a stop, and when another revision came. */
  wake(): AbortSignal;
  /** Of one destination, each record at once: the newest says how far it has come. */
  trail(destinationId: string): TrailLane;
  /** The newest record of that trail, whoever wrote it; null when there is none, or NATS does not say now. */
  lastRecord(destinationId: string): Promise<TrailRecord | null>;
  /** Packs that wait behind this one; 0 when NATS does not say now. */
  packsBehind(): Promise<number>;
  /** For the metrics: a message that was stored then waits for its next attempt. Returns the function that ends it. */
  blocked(storedAtMs: number): () => void;
}

/** Thrown when a stop comes before everything is done: the pack goes back to the server. */
export class Abandoned extends Error {}

/** Throws Abandoned when it is time to stop. */
export function throwIfStopped(stop: AbortSignal): void {
  if (stop.aborted) throw new Abandoned('stopped before the pack was done');
}

/** One message of a pack on its way through this node. */
export interface Pass {
  readonly message: Message;
  readonly raw: Uint8Array;
  readonly index: number;
  readonly lane: Lane;
  /** Messages in its pack, itself included. */
  readonly packSize: number;
  /** What goes on to the receiver when no span of ours is recorded: the sender's context, or one made from the message's id. */
  readonly trace: { traceparent: string; tracestate: string };
  readonly span: NodeSpan | null;
}

/** What the headers of a message that travels alone say about it; for packs as they came in, all of it is empty. */
export interface Lane {
  readonly attemptsMade: number;
  readonly destinationId: string;
  readonly origin: string;
  readonly storedAt: string;
  readonly replayOf: string;
  /** The destination whose answers the messages are; empty when they are none. */
  readonly answerOf: string;
  /** The message that each one answers, by its index. */
  readonly answerTo: readonly string[];
  /** The node at which the sender waits for the pipeline's result; empty when it does not. */
  readonly replyTo: string;
  /** The message that each one's sender waits for, by its index, where it is another one: these are answers. */
  readonly replyFor: readonly string[];
}

/** The message whose sender waits: this one, or the one that its answers began with. */
export function repliedMessage({ lane, index, message }: Pass): string {
  return lane.replyFor[index] ?? message.messageId;
}

export function traceIdOf({ span, trace }: Pass): string {
  return (span ?? trace).traceparent.slice(3, 35);
}
