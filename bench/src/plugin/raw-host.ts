import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { plainEnv } from '@vrsky/testkit/config';
import { type Child, launch } from '@vrsky/testkit/launch';
import { type Line, WINDOW } from './line.ts';
import { createRawSender, encodeRawHead, receiveRaw } from './raw-line.ts';

export interface RawPeer {
  readonly child: Child;
  readonly socketPath: string;
  /** From launch until it listens. */
  readonly readyMs: number;
}

let sockets = 0;

/** Starts the other end of a raw socket and waits until it listens. */
export async function startRawPeer(program: string, dir: string): Promise<RawPeer> {
  const socketPath = path.join(dir, `raw-${++sockets}`);
  const startedMs = performance.now();
  const listens = Promise.withResolvers<void>();
  const child = await launch({ command: program, args: [socketPath], env: plainEnv() });
  child.onOutput((text) => (text.includes('ready') ? listens.resolve() : undefined));
  void child.exited.then(({ code }) => listens.reject(new Error(`${program} ended with code ${code}: ${child.output()}`)));
  await listens.promise;
  return { child, socketPath, readyMs: performance.now() - startedMs };
}

/** The host's half of a raw socket; `sentBytes` and `receivedBytes` are the lengths of a message in either direction. */
export async function openRawLine(program: string, dir: string, { sentBytes, receivedBytes }: { sentBytes: number; receivedBytes: number }): Promise<Line> {
  const { child, socketPath } = await startRawPeer(program, dir);
  const connect = async (role: 's' | 'r', messageBytes: number): Promise<net.Socket> => {
    const socket = net.connect(socketPath);
    await once(socket, 'connect');
    socket.write(encodeRawHead({ role, messageBytes, window: WINDOW }));
    return socket;
  };
  const sending = await connect('s', sentBytes);
  const { send } = createRawSender(sending, sentBytes);
  return {
    pid: child.pid,
    send,
    async receive(onMessages) {
      const receiving = await connect('r', receivedBytes);
      receiveRaw(receiving, () => onMessages(1));
      return async () => {
        receiving.destroy();
        await once(receiving, 'close');
      };
    },
    frames: () => Number.NaN,
    async close() {
      sending.destroy();
      await child.kill();
    },
  };
}
