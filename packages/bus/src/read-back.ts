import { type ConsumerInfo, JetStreamApiError, type JetStreamManager, type StreamInfo } from '@nats-io/jetstream';
import { AppError } from '@vrsky/kernel/errors';
import { jetStreamCodes, toBusError } from './bus-error.ts';
import type { WantedConsumer, WantedStream } from './stream-configs.ts';

/**
 * Makes the stream exist as wanted and proves it by reading it back: a server that does not know a field may drop it without
 * a word, and then a message we answered for could be lost. Throws AppError `BUS.CONFIG_MISMATCH` naming the fields.
 */
export async function ensureStream(jsm: JetStreamManager, wanted: WantedStream): Promise<StreamInfo> {
  const found = await orNull(jetStreamCodes.streamNotFound, () => jsm.streams.info(wanted.name));
  if (found === null) await doing(`create stream ${wanted.name}`, () => jsm.streams.add({ ...wanted }));
  else if (differences(wanted, found.config, streamTraps).length > 0) {
    await mending(`stream ${wanted.name}`, differences(wanted, found.config, streamTraps), () => jsm.streams.update(wanted.name, { ...wanted }));
  }
  const actual = await doing(`read back stream ${wanted.name}`, () => jsm.streams.info(wanted.name));
  refuseDifferences(`stream ${wanted.name}`, differences(wanted, actual.config, streamTraps));
  return actual;
}

/** The same for a durable consumer. */
export async function ensureConsumer(jsm: JetStreamManager, stream: string, wanted: WantedConsumer): Promise<ConsumerInfo> {
  const what = `consumer ${wanted.name} of stream ${stream}`;
  const found = await findConsumer(jsm, stream, wanted.name);
  if (found === null) await doing(`create ${what}`, () => jsm.consumers.add(stream, { ...wanted }));
  else if (differences(wanted, found.config, consumerTraps).length > 0) {
    await mending(what, differences(wanted, found.config, consumerTraps), () => jsm.consumers.update(stream, wanted.name, { ...wanted }));
  }
  const actual = await doing(`read back ${what}`, () => jsm.consumers.info(stream, wanted.name));
  refuseDifferences(what, differences(wanted, actual.config, consumerTraps));
  return actual;
}

/** Null when there is none of this name. */
export function findConsumer(jsm: JetStreamManager, stream: string, name: string): Promise<ConsumerInfo | null> {
  return orNull(jetStreamCodes.consumerNotFound, () => jsm.consumers.info(stream, name));
}

/** Fields we never ask for and that would break a promise: whoever set them gets an error, not a silent loss. */
const streamTraps = [
  'mirror',
  'sources',
  'republish',
  'subject_transform',
  'no_ack',
  'discard_new_per_subject',
  'persist_mode',
  'allow_msg_counter',
  'subject_delete_marker_ttl',
  'first_seq',
];
const consumerTraps = [
  'deliver_subject',
  'deliver_group',
  'filter_subjects',
  'backoff',
  'pause_until',
  'headers_only',
  'rate_limit_bps',
  'inactive_threshold',
  'priority_groups',
  'opt_start_seq',
  'opt_start_time',
  'max_batch',
  'max_bytes',
  'max_expires',
  'sample_freq',
  'flow_control',
  'idle_heartbeat',
  'mem_storage',
];

/** One line for each field that is not as wanted, with both values. */
export function differences(wanted: object, actual: object, traps: readonly string[]): string[] {
  const have = actual as Record<string, unknown>;
  const lines: string[] = [];
  for (const [field, value] of Object.entries(wanted)) {
    if (!same(value, have[field])) lines.push(`${field} is ${text(have[field])}, not ${text(value)}`);
  }
  for (const field of traps) {
    if (!(field in wanted) && !isDefault(have[field])) lines.push(`${field} is ${text(have[field])}, but must not be set`);
  }
  return lines;
}

function refuseDifferences(what: string, lines: string[]): void {
  if (lines.length === 0) return;
  throw new AppError({
    code: 'BUS.CONFIG_MISMATCH',
    kind: 'internal',
    message: `${what} on the NATS server is not as it has to be: ${lines.join('; ')}`,
    details: { fields: lines.map((line) => line.split(' ')[0]) },
  });
}

/** The server leaves out what is false, zero or empty. */
function same(wanted: unknown, actual: unknown): boolean {
  if (isDefault(wanted) && isDefault(actual)) return true;
  return JSON.stringify(wanted) === JSON.stringify(actual);
}

function isDefault(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '' || value === 'default') return true;
  return Array.isArray(value) && value.length === 0;
}

function text(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value);
}

async function orNull<T>(code: number, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === code) return null;
    throw toBusError('look at the NATS server', error);
  }
}

async function doing<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toBusError(what, error);
  }
}

/** Some fields cannot be changed on a thing that exists; the answer then says so together with what differs. */
async function mending(what: string, lines: string[], work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof JetStreamApiError)) throw toBusError(`mend ${what}`, error);
    throw new AppError({
      code: 'BUS.CONFIG_MISMATCH',
      kind: 'internal',
      message: `${what} on the NATS server is not as it has to be and cannot be changed (${error.message}): ${lines.join('; ')}`,
      details: { fields: lines.map((line) => line.split(' ')[0]) },
      cause: error,
    });
  }
}
