import type { DescMessage, DescMethod } from '@bufbuild/protobuf';
import { create, fromBinary, type MessageInitShape, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { type ChannelOptions, type Client, Metadata, type MethodDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { toBuffer } from '@vrsky/proto/wire';

/** Frames of the connector protocol are at most 1 MiB and a little; a whole configuration may be larger. */
export const RPC_MESSAGE_BYTES_MAX = 16 * 1_048_576;

/** Options of both halves. What a plugin sends is bounded by ours, not by what it says. */
export const channelOptions: ChannelOptions = {
  'grpc.max_receive_message_length': RPC_MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': RPC_MESSAGE_BYTES_MAX,
  // A stream's window bounds what one peer may have on the way; the default of 64 KiB makes a round trip out of every large frame.
  'grpc-node.flow_control_window': 4 * 1_048_576,
  // Otherwise HTTP_PROXY would reach even a unix socket.
  'grpc.enable_http_proxy': 0,
  // Two clients of the same path with different certificates must not share a connection.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_channelz': 0,
};

export interface UnaryMethod<I extends DescMessage, O extends DescMessage> extends DescMethod {
  methodKind: 'unary';
  input: I;
  output: O;
}

export const methodPath = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;

/** One call with a deadline. Rejects with gRPC's ServiceError. */
export function callUnary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: UnaryMethod<I, O>,
  request: MessageInitShape<I>,
  deadlineMs: number,
): Promise<MessageShape<O>> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      methodPath(method),
      (message: MessageShape<I>) => toBuffer(toBinary(method.input, message)),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      create(method.input, request),
      new Metadata(),
      { deadline: Date.now() + deadlineMs },
      (error: ServiceError | null, response?: MessageShape<O>) => {
        if (error !== null) reject(error);
        else resolve(response as MessageShape<O>);
      },
    );
  });
}

/** How gRPC's server reads and writes a method with the generated code. */
export function generatedMethod(method: DescMethod): MethodDefinition<unknown, unknown> {
  return {
    path: methodPath(method),
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: (message) => toBuffer(toBinary(method.input, message as MessageShape<DescMessage>)),
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: (message) => toBuffer(toBinary(method.output, message as MessageShape<DescMessage>)),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  };
}

/** The same path with the frames left as they are, for streams on the hot path and their hand-written codecs. */
export function frameMethod(path: string): MethodDefinition<Uint8Array, Buffer> {
  const same = (bytes: Buffer): Buffer => bytes;
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: toBuffer,
    requestDeserialize: same,
    responseSerialize: toBuffer,
    responseDeserialize: same,
  };
}

/** A stream ended because its peer is gone or going: not worth a word. */
export function isEndOfStream(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === status.CANCELLED || code === status.UNIMPLEMENTED || code === status.INTERNAL || code === status.UNAVAILABLE;
}
