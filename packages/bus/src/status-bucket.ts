import type { NatsConnection } from '@nats-io/transport-node';
import { bucketNames } from '@vrsky/contracts/subjects';
import { type Bucket, createBucket } from './bucket.ts';

/** Leases and reports, written by nodes, read by the control plane. Keys: `statusKeys`. */
export function createStatusBucket(nc: NatsConnection): Bucket {
  return createBucket(nc, bucketNames.status);
}
