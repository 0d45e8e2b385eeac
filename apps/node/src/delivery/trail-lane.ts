import { createHash } from 'node:crypto';
import { limits } from '@vrsky/contracts/limits';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { subjects } from '@vrsky/contracts/subjects';
import type { TrailMessage, TrailRecord } from '@vrsky/contracts/trail';

/** Writes what became of packs into the trail: packs that end within a moment of each other share a record, and its fsync. */
export interface TrailLane {
  /** Resolves when the messages of this pack are in the trail, on disk. `key` names the pack and its pass. */
  add(key: string, revision: number, messages: readonly TrailMessage[]): Promise<void>;
}

export interface TrailLaneOptions {
  nodeId: string;
  tenantId: string;
  pipelineId: string;
  /** Resolves when it is stored. */
  publish(subject: string, headers: Record<string, string>, body: Uint8Array): Promise<unknown>;
  /** How long the first pack of a record waits for others. Delivery is over by then; only the books wait. */
  lingerMs?: number;
  /** The pipeline's when left out. */
  subject?: string;
}

interface Batch {
  readonly revision: number;
  readonly keys: string[];
  readonly messages: TrailMessage[];
  readonly stored: PromiseWithResolvers<void>;
  readonly timer: NodeJS.Timeout;
}

const lingerMsDefault = 100;

export function createTrailLane({
  nodeId,
  tenantId,
  pipelineId,
  publish,
  lingerMs = lingerMsDefault,
  subject = subjects.trail(pipelineId),
}: TrailLaneOptions): TrailLane {
  let open: Batch | null = null;

  const begin = (revision: number): Batch => ({ revision, keys: [], messages: [], stored: Promise.withResolvers(), timer: setTimeout(close, lingerMs) });

  function close(): void {
    if (open === null) return;
    const { revision, keys, messages, stored, timer } = open;
    open = null;
    clearTimeout(timer);
    const record: TrailRecord = { v: 1, nodeId, tenantId, pipelineId, revision, atMs: Date.now(), messages };
    const headers = {
      // The same packs are written once: what the first pass did is what happened.
      [packHeaders.msgId]: `trail:${createHash('sha256').update(keys.join('\n')).digest('base64url')}`,
      [packHeaders.customerId]: tenantId,
      [packHeaders.pipeline]: pipelineId,
      [packHeaders.pack]: String(messages.length),
    };
    publish(subject, headers, Buffer.from(JSON.stringify(record))).then(() => stored.resolve(), stored.reject);
  }

  return {
    add(key, revision, messages) {
      if (open !== null && (open.revision !== revision || open.messages.length + messages.length > limits.packMessagesMax)) close();
      open ??= begin(revision);
      const batch = open;
      batch.keys.push(key);
      batch.messages.push(...messages);
      if (batch.messages.length >= limits.packMessagesMax) close();
      return batch.stored.promise;
    },
  };
}
