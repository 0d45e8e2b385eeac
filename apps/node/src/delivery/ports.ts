import type { LogicResult, LogicStep } from '@vrsky/logic/pool';
import type { Reply } from '@vrsky/proto/reply-codec';
import type { AttemptOutcome } from '../core/attempts.ts';
import type { Tenant } from '../tenant.ts';

/** One message for one destination, as a connector gets it. */
export interface OutgoingMessage {
  connectionId: string;
  customerId: string;
  pipelineId: string;
  messageId: string;
  traceparent: string;
  tracestate: string;
  attempt: number;
  headers: [string, string][];
  payload: Uint8Array;
  contentType: string;
  /** How much of the receiver's answer goes on; only its beginning is kept when left out. */
  answerBytesMax?: number;
}

export interface SendOutcome extends AttemptOutcome {
  peerStatus: number;
  peerAnswer: Uint8Array;
  peerAnswerType: string;
  /** Not all of the answer that was asked for is there. */
  peerAnswerCut: boolean;
  startedAtMs: number;
  durationUs: number;
}

/** The destination side of a connector. */
export interface Sender {
  /** Never rejects: a connector that is away or late is an outcome. */
  send(message: OutgoingMessage, deadlineMs: number): Promise<SendOutcome>;
}

/** What became of a message, for its sender. */
export type ReplyContent = Omit<Reply, 'seq'>;

/** Back to the senders who wait. */
export interface ReplyLine {
  /** To the node at `address`. Best effort: nothing waits for it and nothing fails by it. */
  send(tenant: Tenant, address: string, messageId: string, content: ReplyContent): void;
}

/** Runs a pipeline's steps. */
export interface StepRunner {
  /** One result for each message, in order. Rejects when it takes no work now. */
  run(request: { tenantId: string; steps: LogicStep[]; messages: LogicMessage[] }): Promise<LogicResult[]>;
}

export interface LogicMessage {
  id: string;
  customerId: string;
  traceId: string;
  pipelineId: string;
  headers: [string, string][];
  contentType: string;
  payload: Uint8Array;
  receivedAtMs: number;
}
