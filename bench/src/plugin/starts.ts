import { openPlugin } from '@vrsky/plugin/client';
import { connectorCookie, connectorVersions } from '@vrsky/plugin/handshake';
import type { Sandbox } from '@vrsky/plugin/sandbox/confine';
import type { Release } from '../../../apps/node/src/plugins/release-store.ts';
import { startRawPeer } from './raw-host.ts';

export interface Start {
  /** From launch to the handshake line; NaN for what has none. */
  handshakeMs: number;
  /** From launch until it answers. */
  readyMs: number;
}

/** Starts a connector as a node does, waits until it says that it is well, and ends it. */
export async function startConnectorOnce(release: Release, sandbox: Sandbox | undefined): Promise<Start> {
  const command = await release.stage();
  const startedMs = performance.now();
  const plugin = await openPlugin({
    command,
    cookie: connectorCookie,
    versions: connectorVersions,
    ...(sandbox === undefined ? {} : { sandbox }),
    onLog: () => undefined, // nothing here goes wrong that is not also an error
  });
  const readyMs = performance.now() - startedMs;
  await plugin.kill();
  return { handshakeMs: plugin.handshakeMs, readyMs };
}

/** Starts the other end of a raw socket, waits until it listens, and ends it. */
export async function startRawPeerOnce(program: string, dir: string): Promise<Start> {
  const { child, readyMs } = await startRawPeer(program, dir);
  await child.kill();
  return { handshakeMs: Number.NaN, readyMs };
}
