/** How long the node waits for a connector, in milliseconds. */
export interface ConnectorTimes {
  /** From launch to handshake. */
  startMs: number;
  /** Describe. */
  callMs: number;
  configureMs: number;
  /** How long a new set of connections waits for a process that takes it. */
  configureWaitMs: number;
  pingEveryMs: number;
  pingMs: number;
  drainMs: number;
  /** How long an old release may end what it has in hand before a new one takes over. */
  upgradeDrainMs: number;
  /** The answer to Shutdown. */
  shutdownMs: number;
  /** From that to the end of the process; then it is killed. */
  exitMs: number;
}

export const connectorTimes: Readonly<ConnectorTimes> = {
  startMs: 60_000,
  callMs: 10_000,
  configureMs: 30_000,
  configureWaitMs: 30_000,
  pingEveryMs: 3_000,
  pingMs: 5_000,
  drainMs: 60_000,
  upgradeDrainMs: 30_000,
  shutdownMs: 2_000,
  exitMs: 2_000,
};
