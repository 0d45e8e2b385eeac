/** Every NATS name that two processes must agree on. Nobody writes a subject by hand elsewhere. */

/** Streams of a tenant's account. */
export const streamNames = { ingest: 'INGEST', retry: 'RETRY', dlq: 'DLQ', trail: 'TRAIL' } as const;

/** Buckets of the account CONTROL. */
export const bucketNames = { config: 'config', status: 'status' } as const;

export const subjects = {
  /** Packs as they came in. */
  ingest: (pipelineId: string) => `in.${pipelineId}.0`,
  /** Dead letters that were sent again: they are stored like new input. */
  resend: (pipelineId: string) => `in.${pipelineId}.resend`,
  /** Answers of destinations that are the input of what comes next in the pipeline: they are stored like new input. */
  answer: (pipelineId: string) => `in.${pipelineId}.answer`,
  ingestAll: (pipelineId: string) => `in.${pipelineId}.>`,
  /** The same three for pipelines with destinations in strict order: who reads only these gets every pack that such a destination waits for. */
  ordered: (pipelineId: string) => `in.${pipelineId}.ordered.0`,
  orderedResend: (pipelineId: string) => `in.${pipelineId}.ordered.resend`,
  orderedAnswer: (pipelineId: string) => `in.${pipelineId}.ordered.answer`,
  orderedAll: (pipelineId: string) => `in.${pipelineId}.ordered.>`,
  /**
   * Single entries that wait in the stream RETRY for their next attempt: each goes back to the server until its header
   * `Vrsky-Not-Before` has passed, and is gone when acknowledged.
   */
  retry: (pipelineId: string) => `retry.${pipelineId}`,
  dlq: (pipelineId: string) => `dlq.${pipelineId}`,
  quarantine: (pipelineId: string) => `quarantine.${pipelineId}`,
  trail: (pipelineId: string) => `trail.${pipelineId}`,
  /** How far a destination in strict order has come: its newest record is read by whoever goes on with a pack. */
  orderedTrail: (pipelineId: string, destinationId: string) => `trail.${pipelineId}.ordered.${destinationId}`,
  /** Request to any node of the pool: run a pipeline's steps on one message and show what each made of it. */
  run: (pool: string) => `rpc.run.${pool}`,
  /** Request to any node of the pool: have a connector check a connection's settings, or try it out. */
  connector: (pool: string) => `rpc.connector.${pool}`,
  /** What a pipeline made of messages whose senders wait for it at that node. Not stored: whom it does not reach in time, waits no longer. */
  reply: (nodeId: string) => `reply.${nodeId}`,
  /** What a node asked of its connectors, in the stream TRAIL of the tenant they work for. */
  calls: (nodeId: string) => `calls.${nodeId}`,
} as const;

/** Keys in the bucket `config`. */
export const configKeys = {
  head: (pool: string) => `pool.${pool}.head`,
  bundle: (pool: string, tenantId: string) => `pool.${pool}.tenant.${tenantId}`,
  poolAll: (pool: string) => `pool.${pool}.>`,
  grant: (nodeId: string, tenantId: string) => `node.${nodeId}.tenant.${tenantId}`,
  secrets: (nodeId: string, tenantId: string) => `node.${nodeId}.secrets.${tenantId}`,
  nodeAll: (nodeId: string) => `node.${nodeId}.>`,
} as const;

/** Keys in the bucket `status`. */
export const statusKeys = {
  lease: (nodeId: string) => `node.${nodeId}.lease`,
  offers: (nodeId: string) => `node.${nodeId}.offers`,
  report: (nodeId: string, tenantId: string) => `node.${nodeId}.tenant.${tenantId}`,
  nodeAll: (nodeId: string) => `node.${nodeId}.>`,
} as const;

export const consumerNames = {
  pipeline: (pipelineId: string) => `p_${pipelineId}`,
  /** Packs for destinations in strict order, one at a time over all nodes. There is one only for pipelines that have, or had, such a destination. */
  ordered: (pipelineId: string) => `o_${pipelineId}`,
  retry: (pipelineId: string) => `r_${pipelineId}`,
  trail: 'projector',
} as const;

/** Where a client of this name gets its answers; one client must not read another's. */
export const inboxPrefix = (clientName: string) => `_INBOX_${clientName}`;
