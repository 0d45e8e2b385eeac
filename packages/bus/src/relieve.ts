import type { JetStreamManager } from '@nats-io/jetstream';
import { consumerNames, streamNames } from '@vrsky/contracts/subjects';
import { toBusError } from './bus-error.ts';

/** From this share of its bytes on, INGEST is relieved. */
const NEARLY_FULL = 0.7;
/** Of the sequences it holds, the older part that may go. */
const OLDER_PART = 0.5;

/**
 * INGEST keeps worked-off packs as history and refuses new ones when full. So when it gets full, history goes: pipeline by pipeline,
 * what its consumer has acknowledged without a gap, and what belongs to pipelines that have no consumer any more.
 */
export async function relieveIngest(jsm: JetStreamManager): Promise<number> {
  const stream = streamNames.ingest;
  try {
    const { config, state } = await jsm.streams.info(stream);
    if (state.bytes < config.max_bytes * NEARLY_FULL) return 0;
    const olderEnd = state.first_seq + Math.ceil((state.last_seq - state.first_seq) * OLDER_PART);
    const floors = new Map<string, number>();
    for await (const consumer of jsm.consumers.list(stream)) floors.set(consumer.name, consumer.ack_floor.stream_seq);
    let freed = 0;
    for (const pipelineId of await pipelinesIn(jsm)) {
      const floor = floors.get(consumerNames.pipeline(pipelineId)) ?? state.last_seq;
      // The purge stops before `seq`.
      const seq = Math.min(floor + 1, olderEnd);
      if (seq <= state.first_seq) continue;
      const { purged } = await jsm.streams.purge(stream, { filter: `in.${pipelineId}.>`, seq });
      freed += purged;
    }
    return freed;
  } catch (error) {
    throw toBusError(`relieve stream ${stream}`, error);
  }
}

async function pipelinesIn(jsm: JetStreamManager): Promise<Set<string>> {
  const { state } = await jsm.streams.info(streamNames.ingest, { subjects_filter: 'in.>' });
  return new Set(Object.keys(state.subjects ?? {}).map((subject) => subject.split('.')[1] ?? ''));
}
