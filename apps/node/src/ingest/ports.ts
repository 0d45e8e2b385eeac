/** A message as a source connector hands it over. */
export interface ReceivedEntry {
  readonly seq: number;
  readonly connectionId: string;
  /** What the connector claims; never believed. */
  readonly customerId: string;
  readonly raw: Uint8Array;
}

export type AckStatus = 'stored' | 'unavailable' | 'exhausted' | 'too_large' | 'not_found';

/** Where the answers to a source connector go. */
export interface SourceAcks {
  ack(seq: number, status: AckStatus, options: { messageId: string; retryAfterMs?: number }): void;
}

/** Who waits for what the pipeline makes of a message. */
export interface ReplyDesk {
  /** By which other nodes find this one. */
  readonly address: string;
  /** Before it is stored: the result may be here first. */
  expect(tenantId: string, messageId: string, seq: number, withinMs: number): void;
  stored(messageId: string): void;
  forget(messageId: string): void;
}

/** Whose messages arrive on a connection, by the verified bundle. */
export interface Route {
  readonly tenantId: string;
  readonly pipelineId: string;
  readonly revision: number;
  readonly connectionId: string;
  /** Destinations in strict order, as the header `Vrsky-Ordered` names them; empty when there are none. */
  readonly ordered: string;
  /** Their senders wait so long for the pipeline's result; 0: not at all. */
  readonly replyWithinMs: number;
}
