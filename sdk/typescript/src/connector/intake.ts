import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { createInFlight } from '@vrsky/kernel/in-flight';
import { createBatcher } from '@vrsky/plugin/batcher';
import { type AckBatch, decodeAckBatch } from '@vrsky/proto/ack-codec';
import { encodeBatch, type Message } from '@vrsky/proto/message-codec';
import type { ConnectorLog, Intake, Receipt, Reply } from '../connector.ts';

export interface SourceSide extends Intake {
  /** Serves the node's stream. A new one takes the place of the old. */
  attach(call: ServerDuplexStream<Buffer, Uint8Array>): void;
  /** Messages that wait for the node's word. */
  readonly waiting: number;
  /** Messages whose senders wait for what the pipeline makes of them. */
  readonly waitingForReply: number;
}

interface WaitingForReply {
  untilMs: number;
  /** Once its message is stored. */
  timer?: NodeJS.Timeout;
  onReply(reply: Reply): void;
}

/** Longest frame overhead of one message, beside its payload and headers. */
const MESSAGE_BYTES = 512;
/** While no node is connected: it restarts a connector within seconds. */
const NO_NODE_RETRY_MS = 1_000;
/** A node remembers no more of them. */
const REPLIES_MAX = 16_384;
const unavailable = (retryAfterMs: number): Receipt => ({ status: 'unavailable', messageId: '', retryAfterMs });
const pending: Reply = { status: 'pending', payload: new Uint8Array(0), contentType: '', peerStatus: 0, code: '', reason: '' };

/** The source side's stream to the node: frames out; acknowledgements, credit and results in. */
export function createIntake(log: ConnectorLog): SourceSide {
  let stream: ServerDuplexStream<Buffer, Uint8Array> | null = null;
  /** Never reused in this process, so that a late acknowledgement of an older stream meets nobody. */
  let lastSeq = 0;
  /** The most messages that may wait; the node sets it when it opens the stream. */
  let window = 0;
  const waiting = createInFlight<(receipt: Receipt) => void>();
  /** Beside `waiting`, since few messages are in it: until they are stored, and then until their result comes. */
  const waitingForReply = new Map<number, WaitingForReply>();
  const batcher = createBatcher<Partial<Message>>((messages) => (stream === null ? true : stream.write(encodeBatch(messages))));

  const awaitReply = (seq: number, isStored: boolean): void => {
    const found = waitingForReply.get(seq);
    if (found === undefined) return;
    const leftMs = waitingForReply.size > REPLIES_MAX ? 0 : Math.max(0, found.untilMs - performance.now());
    if (isStored) found.timer = setTimeout(() => tellReply(seq, pending), leftMs);
    else waitingForReply.delete(seq);
  };
  const tellReply = (seq: number, reply: Reply): void => {
    const found = waitingForReply.get(seq);
    if (found?.timer === undefined) return;
    waitingForReply.delete(seq);
    clearTimeout(found.timer);
    found.onReply(reply);
  };

  const acknowledge = (batch: AckBatch): void => {
    for (const ack of batch.acks) {
      const onReceipt = waiting.take(ack.seq);
      if (onReceipt === undefined) continue;
      // A word of a newer node that we do not know: the sender comes again, nothing is lost.
      onReceipt(ack.status === 'unspecified' ? unavailable(ack.retryAfterMs) : (ack as Receipt));
      if (waitingForReply.size > 0) awaitReply(ack.seq, ack.status === 'stored');
    }
    for (const { seq, ...reply } of batch.replies) tellReply(seq, reply.status === 'unspecified' ? pending : (reply as Reply));
    if (batch.credit > 0) window = waiting.size + batch.credit;
  };
  /** Whether a message of a broken stream was stored nobody knows: its sender is told to come again. What was stored is worked on. */
  const detach = (call: ServerDuplexStream<Buffer, Uint8Array>): void => {
    if (stream !== call) return;
    stream = null;
    window = 0;
    batcher.clear();
    for (const onReceipt of waiting.clear()) onReceipt(unavailable(NO_NODE_RETRY_MS));
    for (const seq of [...waitingForReply.keys()]) tellReply(seq, pending);
    waitingForReply.clear(); // of what was not stored there is no result
  };

  const offer: Intake['offer'] = (message, onReceipt, onReply) => {
    if (stream === null || waiting.size >= window) {
      onReceipt(unavailable(NO_NODE_RETRY_MS));
      return;
    }
    const seq = ++lastSeq;
    waiting.add(seq, onReceipt);
    const { replyWithinMs = 0 } = message;
    if (onReply !== undefined && replyWithinMs > 0) waitingForReply.set(seq, { untilMs: performance.now() + replyWithinMs, onReply });
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
  const submit: Intake['submit'] = (message) =>
    new Promise((resolve) => {
      if ((message.replyWithinMs ?? 0) <= 0) return offer(message, resolve);
      const reply = Promise.withResolvers<Reply>();
      offer(message, (receipt) => resolve(receipt.status === 'stored' ? { ...receipt, reply: reply.promise } : receipt), reply.resolve);
    });
  return {
    offer,
    submit,
    get room() {
      return Math.max(0, window - waiting.size);
    },
    get waiting() {
      return waiting.size;
    },
    get waitingForReply() {
      return waitingForReply.size;
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
