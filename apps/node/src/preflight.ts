import { access, constants, mkdir } from 'node:fs/promises';
import net from 'node:net';
import { ConfigError } from '@vrsky/kernel/config';
import { AppError } from '@vrsky/kernel/errors';
import { sleep } from '@vrsky/kernel/lifecycle';
import type { NodeConfig } from './config.ts';

/** A connector of a node that was killed a moment ago may still hold the port. */
const portWaitMs = 5_000;

/** What a node cannot do without, looked at before anything is started. Throws ConfigError naming every problem, or AppError `NODE.PORT_BUSY`. */
export async function checkSurroundings({ stateDir, connectorHttp, ingest }: NodeConfig): Promise<void> {
  const problems = await Promise.all([
    findProblem(async () => {
      await mkdir(stateDir, { recursive: true, mode: 0o700 });
      await access(stateDir, constants.R_OK | constants.W_OK | constants.X_OK);
    }, `VRSKY_STATE_DIR: the folder ${stateDir} cannot be written`),
    findProblem(
      () => access(connectorHttp, constants.X_OK),
      `VRSKY_CONNECTOR_HTTP: ${connectorHttp} is not a program (in a checkout, \`npm run prepare:dev\` makes it)`,
    ),
  ]);
  const found = problems.filter((problem) => problem !== null);
  if (found.length > 0) throw new ConfigError(found);
  await waitForPort(ingest.host, ingest.port);
}

/** The connector listens there, and would only fail again and again. */
async function waitForPort(host: string, port: number): Promise<void> {
  const deadlineMs = performance.now() + portWaitMs;
  while (!(await isFree(host, port))) {
    if (performance.now() > deadlineMs) {
      throw new AppError({
        code: 'NODE.PORT_BUSY',
        kind: 'unavailable',
        message: `another program listens on ${host}:${port}: stop it, or set VRSKY_INGEST_PORT`,
      });
    }
    await sleep(100);
  }
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

async function findProblem(work: () => Promise<void>, sentence: string): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    return `${sentence}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`;
  }
}
