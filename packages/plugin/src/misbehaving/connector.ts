import { spawn } from 'node:child_process';
import { closeSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { create } from '@bufbuild/protobuf';
import type { ServerDuplexStream, ServerUnaryCall, ServiceDefinition, sendUnaryData, UntypedServiceImplementation } from '@grpc/grpc-js';
import {
  ConfigureResponseSchema,
  Connector,
  DescribeResponseSchema,
  DrainResponseSchema,
  Role,
  ValidateResponseSchema,
} from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { decodeBatch, encodeBatch, type Message } from '@vrsky/proto/message-codec';
import { encodeSendResults, type SendResult } from '@vrsky/proto/send-result-codec';
import { connectorCookie, pluginEnv } from '../handshake.ts';
import { channelOptions, frameMethod, generatedMethod, methodPath } from '../rpc.ts';
import { pluginLog, servePlugin } from '../serve.ts';
import { floods } from './floods.ts';

const STDOUT = 1;
const STDERR = 2;
const MIB = 1_048_576;
/** Against a test that fails to hold them: neither takes the whole machine. */
const HOG_BYTES_MAX = 2_048 * MIB;
/** Each process of it makes two, so often: about 500. */
const BOMB_DEPTH = 8;
/** Far beyond what this node gives out. */
const UNKNOWN = 1_000_000;
const DEATH = 9;

type Line = ServerDuplexStream<Buffer, Uint8Array>;

const log = pluginLog('misbehaving');

/** At the beginning of a manner's life, when it has said hello. */
const beginnings: Record<string, () => void> = {
  ...floods,
  escapes() {
    // One that leaves the group as a child, one whose parent is gone as well; both keep our output open.
    const child = spawn('/bin/sleep', ['1000'], { detached: true, stdio: ['ignore', 'inherit', 'inherit'] });
    const orphan = spawn('/bin/sh', ['-c', 'setsid sleep 1000 & echo $!'], { stdio: ['ignore', 'pipe', 'inherit'] });
    orphan.stdout.once('data', (pid) => log('info', 'escaped', { pids: [child.pid, Number(String(pid))] }));
  },
  'closes-its-output': () => closeSync(STDOUT),
  'closes-its-log': () => closeSync(STDERR),
  'hogs-memory'() {
    const kept: Buffer[] = [];
    const grow = (): void => {
      kept.push(Buffer.alloc(16 * MIB, 1));
      if (kept.length * 16 * MIB < HOG_BYTES_MAX) setTimeout(grow, 5);
    };
    grow();
  },
  'is-a-fork-bomb'() {
    const bomb = 'bomb() { [ "$1" -gt 0 ] && { bomb $(($1 - 1)) & bomb $(($1 - 1)) & }; exec sleep 1000; }; bomb "$0"';
    spawn('/bin/sh', ['-c', bomb, String(BOMB_DEPTH)], { stdio: 'ignore' });
  },
  'escapes-without-a-trace'() {
    // In a session of its own, without the environment, and its parent is gone.
    spawn('/bin/sh', ['-c', 'env -i /usr/bin/setsid /bin/sleep 1000 &'], { stdio: 'ignore' });
  },
};

/** When it is asked what it is. */
const descriptions: Record<string, () => void> = {
  'dies-in-describe': () => process.exit(DEATH),
  'blocks-in-describe'() {
    for (;;);
  },
  'removes-its-socket'() {
    const dir = process.env[pluginEnv.socketDir] ?? '';
    for (const name of readdirSync(dir)) rmSync(`${dir}/${name}`);
  },
  spies() {
    log('info', 'spied', { parent: readEnvironment(process.ppid), own: readEnvironment(process.pid) });
  },
};

/** When the stream for messages out of it opens. */
const sources: Record<string, (line: Line) => void> = {
  'exceeds-its-credit': (line) => void line.write(encodeBatch(Array.from({ length: 50 }, (_, i) => ({ seq: i + 1, connectionId: 'p/in' })))),
  'sends-what-cannot-be-read': (line) => void line.write(Buffer.from('not a frame')),
  'sends-empty-frames': pourOutNothing,
  'counts-too-far': (line) => void line.write(encodeBatch([{ seq: 2 ** 50, connectionId: 'p/in' }])),
  'hangs-up': (line) => void line.end(),
  'sends-100-megabytes-at-once': (line) => void line.write(Buffer.alloc(100 * MIB)),
  'dies-while-it-hands-over': (line) =>
    void line.write(encodeBatch(Array.from({ length: 3 }, (_, i) => ({ seq: i + 1, connectionId: 'p/in' }))), () => process.exit(DEATH)),
};

/** When messages come to it: answers whether it goes on to give the right results. */
const destinations: Record<string, (line: Line, messages: Message[]) => boolean> = {
  'dies-in-the-middle-of-a-batch'(line, messages) {
    const half = messages.slice(0, Math.ceil(messages.length / 2));
    line.write(encodeSendResults(half.map(({ seq }) => delivered(seq))), () => process.exit(DEATH));
    return false;
  },
  'freezes-in-send'() {
    process.kill(process.pid, 'SIGSTOP');
    return false;
  },
  'blocks-in-send'() {
    for (;;);
  },
  'gives-no-results': () => false,
  'answers-with-empty-frames'(line) {
    pourOutNothing(line);
    return true;
  },
  'answers-for-unknown-messages'(line, messages) {
    line.write(encodeSendResults(messages.map(({ seq }) => delivered(seq + UNKNOWN))));
    return true;
  },
  'answers-twice'(line, messages) {
    line.write(encodeSendResults(messages.map(({ seq }) => delivered(seq))));
    return true;
  },
};

/** Serves as a connector that does well in all but its manner; `healthy` does well in all. */
export async function serve(manner: string): Promise<void> {
  // A real bound of the sender would hide what the receiver's is for.
  if (manner === 'sends-100-megabytes-at-once') channelOptions['grpc.max_send_message_length'] = -1;
  const served = await servePlugin({
    cookie: connectorCookie,
    versions: manner === 'of-another-version' ? [7, 8] : [1],
    env: process.env,
    register: (add) => add(serviceFor(manner), implementationFor(manner)),
  });
  beginnings[manner]?.();
  if (manner === 'ignores-shutdown') await new Promise(() => setInterval(() => undefined, 1_000));
  await served.ended;
  await served.close();
  process.exit(0);
}

function serviceFor(manner: string): ServiceDefinition {
  const methods = Connector.methods.map((method) => [
    method.localName,
    method.methodKind === 'bidi_streaming' ? frameMethod(methodPath(method)) : generatedMethod(method),
  ]);
  const service = Object.fromEntries(methods);
  if (manner === 'describes-itself-in-garbage') service.describe = { ...service.describe, responseSerialize: () => Buffer.from('not a description') };
  return service;
}

function implementationFor(manner: string): UntypedServiceImplementation {
  return {
    describe(_: unknown, answer: sendUnaryData<unknown>) {
      descriptions[manner]?.();
      answer(null, create(DescribeResponseSchema, { name: 'misbehaving', version: '1.0.0', roles: [Role.SOURCE, Role.DESTINATION] }));
    },
    validate: (_: unknown, answer: sendUnaryData<unknown>) => answer(null, create(ValidateResponseSchema)),
    configure(_: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>) {
      if (manner === 'dies-in-configure') process.exit(DEATH);
      answer(null, create(ConfigureResponseSchema));
    },
    drain(_: unknown, answer: sendUnaryData<unknown>) {
      if (manner !== 'ignores-drain') answer(null, create(DrainResponseSchema));
    },
    receive(line: Line) {
      line.on('error', () => undefined); // the node is done with us
      line.once('data', () => sources[manner]?.(line));
    },
    send(line: Line) {
      line.on('error', () => undefined); // the node is done with us
      line.on('data', (frame: Buffer) => {
        const messages = decodeBatch(frame);
        if (destinations[manner]?.(line, messages) === false) return;
        line.write(encodeSendResults(messages.map(({ seq }) => delivered(seq))));
      });
    },
  };
}

/** Frames with nothing in them, as fast as the line takes them. */
function pourOutNothing(line: Line): void {
  while (line.write(Buffer.alloc(0)));
  line.once('drain', () => pourOutNothing(line));
}

function delivered(seq: number): SendResult {
  return {
    seq,
    status: 'ok',
    source: 'downstream',
    reason: '',
    code: '',
    retryAfterMs: 0,
    peerStatus: 200,
    peerAnswer: Buffer.alloc(0),
    startedAtUs: Date.now() * 1_000,
    durationUs: 1,
    peerAnswerType: '',
    peerAnswerCut: false,
  };
}

/** What the system lets us see, or why not. */
function readEnvironment(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch (error) {
    return String(error);
  }
}
