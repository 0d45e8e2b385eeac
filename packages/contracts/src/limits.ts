/** Named bounds. Every list, queue, retry, payload and wait has one; the plan of a tenant may lower them. */
export const limits = {
  /** Largest body a source accepts; larger ones answer 413. */
  payloadBytesMax: 1_048_576,
  /** Largest output of one step. */
  stepOutputBytesMax: 1_048_576,
  stepInstructionsMax: 20_000_000,
  /** A tripwire of ours: a step is stopped by its instructions long before. */
  stepWallMsMax: 5_000,
  stepMemoryBytesMax: 16 * 1_048_576,
  stepSourceBytesMax: 1_048_576,
  /** A WebAssembly module of 1 MiB in base64. */
  stepModuleBase64Max: 1_398_104,
  fixturesPerStepMax: 20,
  stepsPerPipelineMax: 20,
  destinationsPerPipelineMax: 8,
  /** Answers in a row that are the next input. */
  stageDepthMax: 4,
  pipelinesPerTenantMax: 200,
  /** One connection's settings, as JSON. */
  settingsCharsMax: 65_536,
  secretsPerTenantMax: 200,
  /** One secret's value. */
  secretBytesMax: 16_384,
  secretHostsMax: 50,
  /** Versions of a secret that are valid at a time; one more ends the oldest. */
  secretVersionsMax: 3,
  secretOverlapSecondsMax: 30 * 86_400,
  secretOverlapSecondsDefault: 86_400,
  /** All valid values that a tenant's published pipelines refer to: a connector is told all of them at once. */
  secretsInUseBytesMax: 262_144,
  bundleBytesMax: 4 * 1_048_576,
  /** Messages in one pack, and its bytes. */
  packMessagesMax: 256,
  packBytesMax: 4 * 1_048_576,
  /** Messages a connector may hand over beyond those acknowledged. */
  sourceCreditMax: 4_096,
  /** Messages a node has in delivery at a time, for one pipeline. */
  inFlightPerPipelineMax: 2_048,
  attemptsDefault: 6,
  attemptsMax: 20,
  retryInitialMs: 1_000,
  retryMaxMs: 60_000,
  requestTimeoutMsDefault: 10_000,
  requestTimeoutMsMax: 60_000,
  /** What is kept of a receiver's answer. */
  answerBytesMax: 1_024,
  /** Of an answer that goes on from here: with ids and headers around it, it has to fit where any other message does. */
  wholeAnswerBytesMax: 1_048_576 - 8_192,
  /** How long a sender may be kept waiting for its pipeline's result. */
  replyMsMin: 100,
  replyMsDefault: 10_000,
  replyMsMax: 30_000,
  /** Largest result that goes back to a sender. */
  replyBytesMax: 1_048_576,
  /** Messages of which a node remembers who waits for their result: of one tenant, and of all. */
  repliesPerTenantMax: 4_096,
  repliesPerNodeMax: 16_384,
  ingestBytesMax: 1_073_741_824,
  ingestAgeMs: 7 * 86_400_000,
  /** Entries that wait for their next attempt. */
  retryBytesMax: 268_435_456,
  dlqBytesMax: 268_435_456,
  dlqAgeMs: 30 * 86_400_000,
  trailBytesMax: 268_435_456,
  trailAgeMs: 3 * 86_400_000,
  dedupWindowMs: 600_000,
  ackWaitMs: 30_000,
  pubAckWaitMs: 5_000,
  receiverRequestsMax: 1_000,
  /** A node is live within this age of its lease, then silent, then gone. */
  leaseEveryMs: 5_000,
  leaseSilentMs: 15_000,
  leaseGoneMs: 60_000,
  configPollMs: 30_000,
  /** Connectors that one node offers, and one settings schema of one of them. */
  connectorsPerNodeMax: 200,
  settingsSchemaCharsMax: 65_536,
  /** Rows of connector processes in a lease; beyond them only the sum is told. */
  connectorRowsMax: 200,
} as const;
