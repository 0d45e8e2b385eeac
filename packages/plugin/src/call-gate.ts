import type { DescMethod } from '@bufbuild/protobuf';
import { Channel, type ChannelCredentials, type ChannelOptions, type Metadata, status } from '@grpc/grpc-js';
import { AppError } from '@vrsky/kernel/errors';
import { GRPCController } from '@vrsky/proto/gen/goplugin/grpc_controller_pb';
import { GRPCStdio } from '@vrsky/proto/gen/goplugin/grpc_stdio_pb';
import { Health } from '@vrsky/proto/gen/goplugin/health_pb';
import { Connector, Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { methodPath } from './rpc.ts';

/** What was asked through one method since its plugin started. Plain numbers that only grow, so that counting a frame is an addition. */
export interface CallCounter {
  readonly method: string;
  /** Unary calls, or streams opened. */
  calls: number;
  /** Not on the allow-list: nothing of them was sent. */
  refused: number;
  /** Calls and streams that ended, by gRPC status. */
  readonly results: Record<string, number>;
  requestBytes: number;
  responseBytes: number;
  framesSent: number;
  framesReceived: number;
  /** Of those that ended: from the call to its status. */
  totalUs: number;
  /** The reader may set it back to 0, to learn the longest since then. */
  maxUs: number;
}

/** Who keeps count of a plugin's calls: their sizes and results, never what was in them. */
export interface CallRecorder {
  /** The counter of a method; asked once for each call, and beforehand for each that is allowed. */
  counter(method: string): CallCounter;
  /** A call or stream ended and is counted. `status` is gRPC's name: `OK`, `UNAVAILABLE`, …. */
  ended(method: string, status: string, durationUs: number): void;
  /** A call was refused and is counted. */
  refused(method: string): void;
}

/** What the host itself needs of every plugin: is it well, what does it print, end. */
const hostMethods: readonly DescMethod[] = [Health.method.check, GRPCStdio.method.streamStdio, GRPCController.method.shutdown];
const connectorMethods: readonly DescMethod[] = [Connector.method.describe, Connector.method.validate, Connector.method.configure, Connector.method.drain];

/** The calls that a connector of these roles may get; without roles, when they are not known yet, those of every role. */
export function connectorCalls(roles: Iterable<Role> = [Role.SOURCE, Role.DESTINATION]): ReadonlySet<string> {
  const plays = new Set(roles);
  return new Set(
    [
      ...hostMethods,
      ...connectorMethods,
      ...(plays.has(Role.SOURCE) ? [Connector.method.receive] : []),
      ...(plays.has(Role.DESTINATION) ? [Connector.method.send] : []),
    ].map(methodPath),
  );
}

/** Whether a method of the contract, or one that the host itself calls, is a stream. False for one that nobody knows. */
export function isStreamMethod(method: string): boolean {
  return streams.has(method);
}
const streams = new Set(
  [...hostMethods, ...connectorMethods, Connector.method.receive, Connector.method.send].filter(({ methodKind }) => methodKind !== 'unary').map(methodPath),
);

/** Methods with a counter of their own. Beyond them all share one: the names of refused calls are no bounded set. */
const METHODS_MAX = 31;
export const OTHER_METHODS = 'other';

/** Counts in memory. `onEnded` and `onRefused` hear of each call, never of a frame. */
export function createCallCounters(hears: Partial<Pick<CallRecorder, 'ended' | 'refused'>> = {}): CallRecorder & { list(): CallCounter[] } {
  const counters = new Map<string, CallCounter>();
  return {
    counter(method) {
      const name = counters.has(method) || counters.size < METHODS_MAX ? method.slice(0, METHOD_CHARS_MAX) : OTHER_METHODS;
      let counter = counters.get(name);
      if (counter === undefined) {
        counter = {
          ...{ method: name, calls: 0, refused: 0, results: {}, requestBytes: 0, responseBytes: 0 },
          ...{ framesSent: 0, framesReceived: 0, totalUs: 0, maxUs: 0 },
        };
        counters.set(name, counter);
      }
      return counter;
    },
    ended: hears.ended ?? (() => undefined),
    refused: hears.refused ?? (() => undefined),
    list: () => [...counters.values()],
  };
}
const METHOD_CHARS_MAX = 200;

export interface CallGate {
  /** For gRPC's `Client`: its `channelFactoryOverride`. */
  openChannel(target: string, credentials: ChannelCredentials, options: ChannelOptions): ChannelLike;
  /** Takes away every method that is not in `methods`. Nothing can be added. */
  narrow(methods: ReadonlySet<string>): void;
}

type ChannelLike = Pick<Channel, keyof Channel>;
type Call = ReturnType<Channel['createCall']>;
type Listener = Parameters<Call['start']>[1];
type StatusObject = Parameters<Listener['onReceiveStatus']>[0];

/**
 * The one door between a host and its plugin. It stands at the channel, below the client, its methods and its interceptors, so there
 * is no way to call around it: a method that is not allowed throws AppError `PLUGIN.NOT_ALLOWED` before anything is sent.
 */
export function createCallGate(methods: ReadonlySet<string>, recorder: CallRecorder): CallGate {
  let allowed = methods;
  // Before any refused name can take their place.
  for (const method of methods) recorder.counter(method);
  return {
    openChannel(target, credentials, options) {
      const channel = new Channel(target, credentials, options);
      return {
        close: () => channel.close(),
        getTarget: () => channel.getTarget(),
        getConnectivityState: (tryToConnect) => channel.getConnectivityState(tryToConnect),
        watchConnectivityState: (state, deadline, callback) => channel.watchConnectivityState(state, deadline, callback),
        getChannelzRef: () => channel.getChannelzRef(),
        createCall(method, ...rest) {
          const counter = recorder.counter(method);
          if (!allowed.has(method)) {
            counter.refused++;
            recorder.refused(method);
            throw notAllowed(method);
          }
          return new CountedCall(channel.createCall(method, ...rest), counter, recorder);
        },
      };
    },
    narrow(fewer) {
      allowed = new Set([...allowed].filter((method) => fewer.has(method)));
    },
  };
}

/** A call whose bytes are counted on their way; at this level a message is what goes over the line. */
class CountedCall implements Call {
  readonly #call: Call;
  readonly #counter: CallCounter;
  readonly #recorder: CallRecorder;

  constructor(call: Call, counter: CallCounter, recorder: CallRecorder) {
    this.#call = call;
    this.#counter = counter;
    this.#recorder = recorder;
    counter.calls++;
  }
  start(metadata: Metadata, listener: Listener): void {
    this.#call.start(metadata, new CountedListener(listener, this.#counter, this.#recorder));
  }
  sendMessageWithContext(context: Parameters<Call['sendMessageWithContext']>[0], message: Buffer): void {
    this.#counter.framesSent++;
    this.#counter.requestBytes += message.length;
    this.#call.sendMessageWithContext(context, message);
  }
  startRead(): void {
    this.#call.startRead();
  }
  halfClose(): void {
    this.#call.halfClose();
  }
  cancelWithStatus(code: status, details: string): void {
    this.#call.cancelWithStatus(code, details);
  }
  getPeer(): string {
    return this.#call.getPeer();
  }
  getCallNumber(): number {
    return this.#call.getCallNumber();
  }
  setCredentials(credentials: Parameters<Call['setCredentials']>[0]): void {
    this.#call.setCredentials(credentials);
  }
  getAuthContext(): ReturnType<Call['getAuthContext']> {
    return this.#call.getAuthContext();
  }
}

class CountedListener implements Listener {
  readonly #listener: Listener;
  readonly #counter: CallCounter;
  readonly #recorder: CallRecorder;
  readonly #startedMs = performance.now();

  constructor(listener: Listener, counter: CallCounter, recorder: CallRecorder) {
    this.#listener = listener;
    this.#counter = counter;
    this.#recorder = recorder;
  }
  onReceiveMetadata(metadata: Metadata): void {
    this.#listener.onReceiveMetadata(metadata);
  }
  onReceiveMessage(message: Buffer): void {
    this.#counter.framesReceived++;
    this.#counter.responseBytes += message.length;
    this.#listener.onReceiveMessage(message);
  }
  onReceiveStatus(answer: StatusObject): void {
    const counter = this.#counter;
    const durationUs = Math.round((performance.now() - this.#startedMs) * 1_000);
    // A plugin may answer any number; only gRPC's have a name.
    const name = status[answer.code] ?? 'UNKNOWN';
    counter.results[name] = (counter.results[name] ?? 0) + 1;
    counter.totalUs += durationUs;
    if (durationUs > counter.maxUs) counter.maxUs = durationUs;
    this.#recorder.ended(counter.method, name, durationUs);
    this.#listener.onReceiveStatus(answer);
  }
}

function notAllowed(method: string): AppError {
  return new AppError({
    code: 'PLUGIN.NOT_ALLOWED',
    kind: 'forbidden',
    message: `the call ${method.slice(0, METHOD_CHARS_MAX)} is not on the list of what this plugin may be asked; nothing was sent`,
    publicMessage: 'The node does not allow this call to the connector.',
  });
}
