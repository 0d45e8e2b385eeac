import type { NatsConnection } from '@nats-io/transport-node';
import { bucketNames } from '@vrsky/contracts/subjects';
import { type Bucket, createBucket } from './bucket.ts';

/** Signed desired state, written by the control plane, read by nodes. Keys: `configKeys`. */
export function createConfigBucket(nc: NatsConnection): Bucket {
  return createBucket(nc, bucketNames.config);
}
