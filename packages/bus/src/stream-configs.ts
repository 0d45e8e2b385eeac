import { createHmac } from 'node:crypto';
import type { ConsumerConfig, StreamConfig } from '@nats-io/jetstream';
import { limits } from '@vrsky/contracts/limits';
import { bucketNames, consumerNames, streamNames, subjects } from '@vrsky/contracts/subjects';
import type { PlatformKeys } from './platform-keys.ts';

/** What one tenant may store. */
export interface TenantStorage {
  ingestBytes: number;
  retryBytes: number;
  dlqBytes: number;
  trailBytes: number;
}

/** The complete wish: every field that decides about loss, order or reach is named, so that reading back compares it. */
export type WantedStream = Required<
  Pick<
    StreamConfig,
    | 'name'
    | 'subjects'
    | 'retention'
    | 'storage'
    | 'discard'
    | 'max_bytes'
    | 'max_age'
    | 'max_msgs'
    | 'max_msgs_per_subject'
    | 'max_msg_size'
    | 'max_consumers'
    | 'num_replicas'
    | 'duplicate_window'
    | 'allow_direct'
    | 'allow_rollup_hdrs'
    | 'allow_msg_schedules'
    | 'allow_msg_ttl'
    | 'deny_delete'
    | 'deny_purge'
    | 'sealed'
  >
> &
  Pick<StreamConfig, 'subject_transform'>;

export type WantedConsumer = Required<
  Pick<
    ConsumerConfig,
    'name' | 'durable_name' | 'filter_subject' | 'deliver_policy' | 'ack_policy' | 'ack_wait' | 'max_deliver' | 'max_ack_pending' | 'replay_policy'
  >
>;

/** Room for headers beside the largest pack. */
const HEADER_BYTES_MAX = 65_536;
const CONFIG_BUCKET_BYTES = 1_073_741_824;
/** A bundle in its envelope: JSON within JSON, so every quote of it is escaped once more. */
const CONFIG_VALUE_BYTES_MAX = 8_388_608;
const STATUS_BUCKET_BYTES = 134_217_728;
const STATUS_VALUE_BYTES_MAX = 262_144;
/** Packs a pipeline has unacknowledged, over all nodes. */
const PACKS_PENDING_MAX = 1_024;
/** Entries of a pipeline that wait for their time; more of them wait behind these. */
export const RETRIES_PENDING_MAX = 16_384;
const storageDefault: TenantStorage = {
  ingestBytes: limits.ingestBytesMax,
  retryBytes: limits.retryBytesMax,
  dlqBytes: limits.dlqBytesMax,
  trailBytes: limits.trailBytesMax,
};

export function tenantStreams(storage?: TenantStorage): WantedStream[] {
  const { ingestBytes, retryBytes, dlqBytes, trailBytes } = storage ?? storageDefault;
  return [
    // What was accepted is never pushed out by newer messages: a full stream refuses the new ones.
    { ...tenantStream, name: streamNames.ingest, subjects: ['in.>'], discard: 'new', max_bytes: ingestBytes, max_age: nanos(limits.ingestAgeMs) },
    // Entries between two attempts. They wait by `nak` with a delay: the server's own schedules are refused together with
    // `discard: new`, and with `discard: old` a full stream would drop what was accepted. A work queue, so that a finished entry frees
    // its space at once.
    {
      ...tenantStream,
      name: streamNames.retry,
      subjects: ['retry.>'],
      retention: 'workqueue',
      discard: 'new',
      max_bytes: retryBytes,
      max_age: nanos(limits.ingestAgeMs),
    },
    { ...tenantStream, name: streamNames.dlq, subjects: ['dlq.>', 'quarantine.>'], discard: 'new', max_bytes: dlqBytes, max_age: nanos(limits.dlqAgeMs) },
    // The trail must never hold up a delivery: when the projector is far behind, the oldest records go.
    {
      ...tenantStream,
      name: streamNames.trail,
      subjects: ['trail.>', 'calls.>'],
      discard: 'old',
      max_bytes: trailBytes,
      max_age: nanos(limits.trailAgeMs),
    },
  ];
}

export function controlStreams(keys: PlatformKeys): WantedStream[] {
  const name = bucketNames.config;
  // Whoever may send any request to JetStream may have the answer sent to any subject, also one he may not publish to. So the
  // subjects that write configuration are secret; the stream files what arrives there under the keys that everybody reads.
  const written = configWriteSubject(keys, '>');
  return [
    { ...bucket(name), subjects: [written], subject_transform: { src: written, dest: bucketSubject(name, '>') } },
    { ...bucket(bucketNames.status), max_bytes: STATUS_BUCKET_BYTES, max_msg_size: STATUS_VALUE_BYTES_MAX },
  ];
}

/** Where the control plane writes a key of the bucket `config`. Secret. */
export function configWriteSubject(keys: PlatformKeys, key: string): string {
  return `cfg.${createHmac('sha256', keys.controlAccountSeed).update('vrsky/config-bucket/1').digest('hex')}.${key}`;
}

export function pipelineConsumer(pipelineId: string): WantedConsumer {
  return { ...durable(consumerNames.pipeline(pipelineId)), filter_subject: subjects.ingestAll(pipelineId) };
}

/** In strict order the next pack is nobody's before this one is done, however many nodes read; otherwise what is left is worked off at once. */
export function orderedConsumer(pipelineId: string, isStrict: boolean): WantedConsumer {
  return {
    ...durable(consumerNames.ordered(pipelineId)),
    filter_subject: subjects.orderedAll(pipelineId),
    max_ack_pending: isStrict ? 1 : PACKS_PENDING_MAX,
  };
}

export function retryConsumer(pipelineId: string): WantedConsumer {
  return { ...durable(consumerNames.retry(pipelineId)), filter_subject: subjects.retry(pipelineId), max_ack_pending: RETRIES_PENDING_MAX };
}

/** Reads the whole stream: what became of messages, and what connectors were asked. */
export function trailConsumer(): WantedConsumer {
  return { ...durable(consumerNames.trail), filter_subject: '>' };
}

/** Name of the stream behind a KV bucket, and the subject of a key in it. */
export const bucketStream = (name: string) => `KV_${name}`;
export const bucketSubject = (name: string, key: string) => `$KV.${name}.${key}`;

const basics = {
  retention: 'limits',
  storage: 'file',
  max_msgs: -1,
  max_msgs_per_subject: -1,
  max_consumers: -1,
  num_replicas: 1,
  allow_direct: true,
  allow_rollup_hdrs: false,
  allow_msg_schedules: false,
  allow_msg_ttl: false,
  deny_delete: false,
  deny_purge: false,
  sealed: false,
} as const;

const tenantStream = { ...basics, max_msg_size: limits.packBytesMax + HEADER_BYTES_MAX, duplicate_window: nanos(limits.dedupWindowMs) };

function bucket(name: string): WantedStream {
  return {
    ...basics,
    name: bucketStream(name),
    subjects: [bucketSubject(name, '>')],
    discard: 'new',
    max_msgs_per_subject: 1,
    max_age: 0,
    max_bytes: CONFIG_BUCKET_BYTES,
    max_msg_size: CONFIG_VALUE_BYTES_MAX,
    duplicate_window: nanos(120_000),
    // Roll-up headers stay off: with them, whoever may write one key of a bucket can wipe all of it. Deleting and purging
    // single entries is only a matter of permissions.
    deny_delete: true,
  };
}

function durable(name: string) {
  return {
    name,
    durable_name: name,
    deliver_policy: 'all',
    ack_policy: 'explicit',
    ack_wait: nanos(limits.ackWaitMs),
    max_deliver: -1,
    max_ack_pending: PACKS_PENDING_MAX,
    replay_policy: 'instant',
  } as const;
}

function nanos(ms: number): number {
  return ms * 1_000_000;
}
