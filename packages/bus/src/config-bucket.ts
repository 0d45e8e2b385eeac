import type { NatsConnection } from '@nats-io/transport-node';
import { bucketNames } from '@vrsky/contracts/subjects';
import { type Bucket, createBucket } from './bucket.ts';
import type { PlatformKeys } from './platform-keys.ts';
import { configWriteSubject } from './stream-configs.ts';

/** Signed desired state. Keys: `configKeys`. Nodes read it; only with the platform's keys can it be written. */
export function createConfigBucket(nc: NatsConnection, keys?: PlatformKeys): Bucket {
  return createBucket(nc, bucketNames.config, (key) => {
    if (keys === undefined) throw new Error(`bug: the bucket config was opened for reading, but ${key} is written`);
    return configWriteSubject(keys, key);
  });
}
