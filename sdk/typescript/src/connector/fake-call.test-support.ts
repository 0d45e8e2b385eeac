import { EventEmitter } from 'node:events';
import type { ServerDuplexStream } from '@grpc/grpc-js';

/** One stream with a node that a test plays. */
export interface FakeCall {
  readonly call: ServerDuplexStream<Buffer, Uint8Array>;
  readonly written: Buffer[];
  /** The node sends a frame. */
  frame(bytes: Uint8Array): void;
  /** The node takes no more for now; again with `drain`. */
  isFull: boolean;
  drain(): void;
  hangUp(): void;
  readonly ended: boolean;
  readonly errors: unknown[];
}

export function createFakeCall(): FakeCall {
  const emitter = new EventEmitter();
  const errors: unknown[] = [];
  emitter.on('error', (error) => errors.push(error));
  const fake = {
    written: [] as Buffer[],
    isFull: false,
    ended: false,
    errors,
    call: Object.assign(emitter, {
      write(bytes: Uint8Array) {
        fake.written.push(Buffer.from(bytes));
        return !fake.isFull;
      },
      end() {
        fake.ended = true;
      },
    }) as unknown as ServerDuplexStream<Buffer, Uint8Array>,
    frame: (bytes: Uint8Array) => void emitter.emit('data', Buffer.from(bytes)),
    drain() {
      fake.isFull = false;
      emitter.emit('drain');
    },
    hangUp: () => void emitter.emit('cancelled'),
  };
  return fake;
}
