import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { createInFlight } from '@vrsky/kernel/in-flight';
import { createBatcher } from '@vrsky/plugin/batcher';
import { type AckBatch, decodeAckBatch } from '@vrsky/proto/ack-codec';
import { encodeBatch, type Message } from '@vrsky/proto/message-codec';
import type { ConnectorLog, Intake, Receipt } from '../connector.ts';

export interface SourceSide extends Intake {
  /** Serves the node's stream. A new one takes the place of the old. */
  attach(call: ServerDuplexStream<Buffer, Uint8Array>): void;
  /** Messages that wait for the node's word. */
  readonly waiting: number;
}

/** Longest frame overhead of one message, beside its payload and headers. */
const MESSAGE_BYTES = 512;
/** While no node is connected: it restarts a connector within seconds. */
const NO_NODE_RETRY_MS = 1_000;
const unavailable = (retryAfterMs: number): Receipt => ({ status: 'unavailable', messageId: '', retryAfterMs });

/** The source side's stream to the node: frames out, acknowledgements and credit in. */
export function createIntake(log: ConnectorLog): SourceSide {
  let stream: ServerDuplexStream<Buffer, Uint8Array> | null = null;
  /** Never reused in this process, so that a late acknowledgement of an older stream meets nobody. */
  let lastSeq = 0;
  /** The most messages that may wait; the node sets it when it opens the stream. */
  let window = 0;
  const waiting = createInFlight<(receipt: Receipt) => void>();
  const batcher = createBatcher<Partial<Message>>((messages) => (stream === null ? true : stream.write(encodeBatch(messages))));

  const acknowledge = (batch: AckBatch): void => {
    for (const ack of batch.acks) {
      const onReceipt = waiting.take(ack.seq);
      if (onReceipt === undefined) continue;
      // A word of a newer node that we do not know: the sender comes again, nothing is lost.
      onReceipt(ack.status === 'unspecified' ? unavailable(ack.retryAfterMs) : (ack as Receipt));
    }
    if (batch.credit > 0) window = waiting.size + batch.credit;
  };
  /** Whether a message of a broken stream was stored nobody knows: its sender is told to come again. */
  const detach = (call: ServerDuplexStream<Buffer, Uint8Array>): void => {
    if (stream !== call) return;
    stream = null;
    window = 0;
    batcher.clear();
    for (const onReceipt of waiting.clear()) onReceipt(unavailable(NO_NODE_RETRY_MS));
  };

  const offer: Intake['offer'] = (message, onReceipt) => {
    if (stream === null || waiting.size >= window) {
      onReceipt(unavailable(NO_NODE_RETRY_MS));
      return;
    }
    const seq = ++lastSeq;
    waiting.add(seq, onReceipt);
    batcher.add(
      {
        seq,
        connectionId: message.connectionId,
        traceparent: message.traceparent,
        tracestate: message.tracestate,
        receivedAtUs: message.receivedAtUs ?? Date.now() * 1_000,
        headers: message.headers,
        payload: message.payload,
        contentType: message.contentType,
      },
      message.payload.length + MESSAGE_BYTES,
    );
  };
  return {
    offer,
    submit: (message) => new Promise((resolve) => offer(message, resolve)),
    get room() {
      return Math.max(0, window - waiting.size);
    },
    get waiting() {
      return waiting.size;
    },
    attach(call) {
      if (stream !== null) {
        const old = stream;
        detach(old);
        old.end();
      }
      stream = call;
      call.on('data', (frame: Buffer) => {
        if (stream !== call) return;
        try {
          acknowledge(decodeAckBatch(frame));
        } catch (error) {
          log('error', `the node sent a frame that cannot be read: ${String(error)}`);
          call.emit('error', { code: status.INVALID_ARGUMENT, details: 'a frame cannot be read' });
        }
      });
      call.on('drain', batcher.resume);
      call.on('end', () => {
        detach(call);
        call.end();
      });
      call.on('cancelled', () => detach(call));
      call.on('error', () => detach(call)); // what broke is the line; its messages are answered above
    },
  };
}
