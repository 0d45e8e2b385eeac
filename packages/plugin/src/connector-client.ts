import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { type Client, type ServiceError, status } from '@grpc/grpc-js';
import { type AckBatchToSend, encodeAckBatch } from '@vrsky/proto/ack-codec';
import { Connector } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { decodeBatch, encodeBatch, type Message } from '@vrsky/proto/message-codec';
import { decodeSendResults, type SendResult } from '@vrsky/proto/send-result-codec';
import { toBuffer } from '@vrsky/proto/wire';
import { callUnary, methodPath } from './rpc.ts';

type Methods = typeof Connector.method;
type Request<Name extends keyof Methods> = MessageInitShape<Methods[Name]['input']>;
type Response<Name extends keyof Methods> = Promise<MessageShape<Methods[Name]['output']>>;

/** The calls of `vrsky.connector.v1` on one running connector, for those who talk to one and carry no load. Calls reject with gRPC's ServiceError. */
export interface ConnectorClient {
  describe(): Response<'describe'>;
  validate(request: Request<'validate'>): Response<'validate'>;
  configure(request: Request<'configure'>): Response<'configure'>;
  drain(deadlineMs: number): Response<'drain'>;
  receive(onMessages: (messages: Message[]) => void): ConnectorStream<AckBatchToSend>;
  send(onResults: (results: SendResult[]) => void): ConnectorStream<Partial<Message>[]>;
}

/** One stream to a connector. */
export interface ConnectorStream<Batch> {
  /** Sends one frame. */
  write(batch: Batch): void;
  /** Says that nothing more comes; what the connector still has to say is heard. */
  end(): void;
  /** Breaks it, as a lost node would. */
  cancel(): void;
  /** Resolves when it is over: null when both sides ended it or we broke it, the error otherwise. Never rejects. */
  readonly ended: Promise<ServiceError | null>;
}

/** `callMs` bounds each call but `drain`. */
export function createConnectorClient(client: Client, callMs: number): ConnectorClient {
  const open = <Batch, Item>(path: string, encode: (batch: Batch) => Uint8Array, decode: (bytes: Buffer) => Item[], onItems: (items: Item[]) => void) => {
    const stream = client.makeBidiStreamRequest(path, (batch: Batch) => toBuffer(encode(batch)), decode);
    let over: (error: ServiceError | null) => void = () => undefined;
    const ended = new Promise<ServiceError | null>((resolve) => {
      over = resolve;
    });
    stream.on('data', onItems);
    stream.on('end', () => over(null));
    stream.on('error', (error: ServiceError) => over(error.code === status.CANCELLED ? null : error));
    return {
      write: (batch: Batch) => void stream.write(batch),
      end: () => void stream.end(),
      cancel: () => void stream.cancel(),
      ended,
    };
  };
  const { method } = Connector;
  return {
    describe: () => callUnary(client, method.describe, {}, callMs),
    validate: (request) => callUnary(client, method.validate, request, callMs),
    configure: (request) => callUnary(client, method.configure, request, callMs),
    drain: (deadlineMs) => callUnary(client, method.drain, {}, deadlineMs),
    receive: (onMessages) => open<AckBatchToSend, Message>(methodPath(method.receive), encodeAckBatch, decodeBatch, onMessages),
    send: (onResults) => open<Partial<Message>[], SendResult>(methodPath(method.send), encodeBatch, decodeSendResults, onResults),
  };
}
