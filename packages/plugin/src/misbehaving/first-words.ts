import { closeSync, symlinkSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { createIdentity } from '../certificate.ts';
import { pluginEnv } from '../handshake.ts';

const STDOUT = 1;
const socketDir = process.env[pluginEnv.socketDir] ?? '';
const cert = createIdentity().certDer.toString('base64').replace(/=+$/, '');

const say = (text: string): void => void writeSync(STDOUT, text);
const stay = (): Promise<never> => new Promise(() => setInterval(() => undefined, 1_000));
const line = (o: { core?: string; app?: string; address?: string } = {}): string =>
  `${o.core ?? 1}|${o.app ?? 1}|unix|${o.address ?? `${socketDir}/plugin`}|grpc|${cert}\n`;

/** What a plugin may do in the place of a handshake, by its name. */
export const firstWords: Record<string, () => Promise<void>> = {
  silent: stay,
  async 'of-another-application'() {
    process.stderr.write(
      'This binary is a plugin. These are not meant to be executed directly.\nPlease execute the program that consumes these plugins, which will\nload any plugins automatically\n',
    );
    process.exitCode = 1;
  },
  async 'of-another-version-without-a-list'() {
    say(line({ app: '9' }));
    await stay();
  },
  async 'of-another-core-version'() {
    say(line({ core: '2' }));
    await stay();
  },
  async 'prints-garbage'() {
    writeSync(STDOUT, Buffer.from([0, 255, 27, 91, 50, 74, 128, 10]));
    await stay();
  },
  async 'prints-before-its-handshake'() {
    say(`Starting up…\n${line()}`);
    await stay();
  },
  async 'never-ends-its-first-line'() {
    // Until the host takes no more: the pipe is then full, or gone.
    for (;;) {
      say('x'.repeat(4_096));
      await pause(1);
    }
  },
  async 'is-late'() {
    await pause(Number(process.env.LATE_MS));
    const { serve } = await import('./connector.ts');
    await serve('healthy');
  },
  async 'dies-before-its-handshake'() {
    process.stderr.write('cannot open the door\n');
    process.exitCode = 3;
  },
  async 'dies-in-the-middle-of-its-handshake'() {
    say('1|1|unix|');
    process.kill(process.pid, 'SIGKILL');
  },
  async 'ends-with-status-0'() {
    process.exitCode = 0;
  },
  async 'freezes-before-its-handshake'() {
    process.kill(process.pid, 'SIGSTOP');
    await stay();
  },
  async 'closes-its-output-before-its-handshake'() {
    closeSync(STDOUT);
    await stay();
  },
  async 'never-listens'() {
    say(line());
    await stay();
  },
  async 'names-a-socket-elsewhere'() {
    say(line({ address: process.env.ELSEWHERE }));
    await stay();
  },
  async 'links-its-socket-elsewhere'() {
    symlinkSync(process.env.ELSEWHERE ?? '', `${socketDir}/plugin`);
    say(line());
    await stay();
  },
};
