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
    for await (const { name, ack_floor, num_pending, num_ack_pending } of jsm.consumers.list(stream)) {
      // One for strict order hears of some packs only, so without any left it has no say.
      if (!name.startsWith(consumerNames.ordered('')) || num_pending + num_ack_pending > 0) floors.set(name, ack_floor.stream_seq);
    }
    let freed = 0;
    for (const pipelineId of await pipelinesIn(jsm)) {
      const [every, ordered] = [consumerNames.pipeline(pipelineId), consumerNames.ordered(pipelineId)].map((name) => floors.get(name) ?? state.last_seq);
      const floor = Math.min(every as number, ordered as number);
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
