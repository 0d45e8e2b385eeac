import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { createBatcher } from '@vrsky/plugin/batcher';
import { decodeBatch, type Message } from '@vrsky/proto/message-codec';
import { encodeSendResults, type SendResult } from '@vrsky/proto/send-result-codec';
import type { ConnectorLog, DeliveryResult, DestinationDefinition } from '../connector.ts';

export interface DestinationSide {
  attach(call: ServerDuplexStream<Buffer, Uint8Array>): void;
  /** Of which connections a result carries how much of the answer whole; of all others only the beginning. */
  setAnswerBytesMax(byConnectionId: ReadonlyMap<string, number>): void;
  /** Resolves when no delivery is under way. */
  idle(): Promise<void>;
}

/** What is kept of an answer that does not go on. */
const ANSWER_START_BYTES = 1_024;
const RESULT_BYTES = 64;
const EMPTY = new Uint8Array(0);

/** The destination side's stream: messages in, exactly one result for each out. `send` is null for a connector that is no destination. */
export function createOutlet(send: DestinationDefinition['send'] | null, log: ConnectorLog): DestinationSide {
  let running = 0;
  let waiters: (() => void)[] = [];
  let answerBytesMax: ReadonlyMap<string, number> = new Map();

  const ended = (): void => {
    if (--running > 0) return;
    const idle = waiters;
    waiters = [];
    for (const wake of idle) wake();
  };

  const deliver = (message: Message, answer: (result: SendResult) => void): void => {
    running++;
    let answered = false;
    const done = (result: DeliveryResult): void => {
      if (answered) return;
      answered = true;
      ended();
      answer(toSendResult(message.seq, result, answerBytesMax.get(message.connectionId) ?? 0));
    };
    const failed = (error: unknown): void => {
      log('error', `a delivery failed by a fault of the connector: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      done({ status: 'retryable', source: 'plugin', code: 'connector_fault', reason: 'The connector failed while it delivered this message.' });
    };
    try {
      if (send === null) {
        done({ status: 'permanent', source: 'plugin', code: 'not_a_destination', reason: 'This connector cannot deliver messages.' });
        return;
      }
      const promise = send(message, done);
      if (promise !== undefined) promise.then(done, failed);
    } catch (error) {
      failed(error);
    }
  };

  return {
    attach(call) {
      let open = true;
      const batcher = createBatcher<SendResult>((results) => !open || call.write(encodeSendResults(results)));
      const close = (): void => {
        open = false;
        batcher.clear();
      };
      const answer = (result: SendResult): void => {
        if (open) batcher.add(result, result.peerAnswer.length + (result.reason.length + result.peerAnswerType.length) * 3 + RESULT_BYTES);
      };
      call.on('data', (frame: Buffer) => {
        try {
          for (const message of decodeBatch(frame)) deliver(message, answer);
        } catch (error) {
          log('error', `the node sent a frame that cannot be read: ${String(error)}`);
          call.emit('error', { code: status.INVALID_ARGUMENT, details: 'a frame cannot be read' });
        }
      });
      call.on('drain', batcher.resume);
      call.on('end', () => {
        close();
        call.end();
      });
      call.on('cancelled', close);
      call.on('error', close); // the node sends what has no result once more
    },
    setAnswerBytesMax(byConnectionId) {
      answerBytesMax = byConnectionId;
    },
    idle: () => (running === 0 ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  };
}

function toSendResult(seq: number, result: DeliveryResult, answerBytesMax: number): SendResult {
  const answer = result.peerAnswer ?? EMPTY;
  const isWhole = answer.length <= answerBytesMax && result.peerAnswerCut !== true;
  return {
    seq,
    status: result.status,
    source: result.source ?? 'downstream',
    reason: result.reason ?? '',
    code: result.code ?? '',
    retryAfterMs: result.retryAfterMs ?? 0,
    peerStatus: result.peerStatus ?? 0,
    peerAnswer: isWhole ? answer : answer.subarray(0, ANSWER_START_BYTES),
    startedAtUs: result.startedAtUs ?? 0,
    durationUs: result.durationUs ?? 0,
    peerAnswerType: result.peerAnswerType ?? '',
    peerAnswerCut: answerBytesMax > 0 && !isWhole,
  };
}
