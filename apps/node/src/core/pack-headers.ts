import { answerId } from '@vrsky/contracts/ids';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { isPackProof, type ProofKey, packProof } from '@vrsky/contracts/proof';

/** Who stamps: the tenant and its proof key. */
export interface Stamp {
  customerId: string;
  proofKey: ProofKey;
}

export interface PackFacts {
  /** For the server's dedup: the same pack, published again, is stored once. */
  msgId: string;
  pipelineId: string;
  revision: number;
  connectionId: string;
  messageIds: readonly string[];
}

/** Headers of a pack of one tenant and pipeline. */
export function packHeadersOf(stamp: Stamp, facts: PackFacts): Record<string, string> {
  return {
    [packHeaders.msgId]: facts.msgId,
    [packHeaders.customerId]: stamp.customerId,
    [packHeaders.pipeline]: facts.pipelineId,
    [packHeaders.revision]: String(facts.revision),
    [packHeaders.connection]: facts.connectionId,
    [packHeaders.pack]: String(facts.messageIds.length),
    [packHeaders.mixed]: '0',
    [packHeaders.proof]: packProof(stamp.proofKey, stamp.customerId, facts.pipelineId, facts.messageIds),
  };
}

export interface PackClaim {
  header(name: string): string;
  entries: readonly { customerId: string; pipelineId: string; messageId: string }[];
}

/** Why a pack must not be delivered for this tenant and pipeline; null when every entry and the proof agree. */
export function findPackProblem(stamp: Stamp, pipelineId: string, pack: PackClaim): string | null {
  const customerId = pack.header(packHeaders.customerId);
  if (customerId !== stamp.customerId) return `The pack names ${quote(customerId)} as its Customer-ID, but lies in the stream of ${stamp.customerId}.`;
  if (pack.header(packHeaders.pipeline) !== pipelineId)
    return `The pack names ${quote(pack.header(packHeaders.pipeline))} as its pipeline, but lies in the queue of ${pipelineId}.`;
  if (pack.entries.length === 0) return 'The pack is empty.';
  const ids: string[] = [];
  for (const entry of pack.entries) {
    if (entry.customerId !== stamp.customerId) return `A message in the pack names ${quote(entry.customerId)} as its Customer-ID.`;
    if (entry.pipelineId !== pipelineId) return `A message in the pack names ${quote(entry.pipelineId)} as its pipeline.`;
    ids.push(entry.messageId);
  }
  if (!isPackProof(pack.header(packHeaders.proof), stamp.proofKey, stamp.customerId, pipelineId, ids))
    return 'The proof does not match: the platform did not stamp this pack.';
  return null;
}

/** Why the messages of a pack are not the answers that it says they are; null when each one is. */
export function findAnswerProblem({ header, entries }: PackClaim): string | null {
  const of = header(packHeaders.answerOf);
  const to = listAnswered(header(packHeaders.answerTo));
  const isRight = of !== '' && entries.every(({ messageId }, i) => messageId === answerId(to[i] ?? '', of));
  return isRight ? null : `The messages of the pack are not the answers of ${quote(of)} that it says they are.`;
}

/** The ids of the messages that a pack's messages answer. */
export function listAnswered(text: string): string[] {
  return text === '' ? [] : text.split(' ');
}

/** Which destinations get a pack in strict order, as its header names them. They are what they were when it was stored, whatever is published later. */
export function formatOrdered(destinations: readonly { id: string; isStrict: boolean }[]): string {
  return destinations.flatMap(({ id, isStrict }) => (isStrict ? id : [])).join(',');
}

export function readOrdered(text: string): string[] {
  return text.split(',').filter((id) => id !== '');
}

/** A text fit for a NATS header: one line, of bounded length. */
export function headerText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: line breaks and other control characters end or break a header.
  const line = text.replace(/[\u0000-\u001f\u007f]+/g, ' ').trim();
  return line.length > 500 ? `${line.slice(0, 499)}…` : line;
}

/** Where a message first came in: its sequence in INGEST and its index in the pack. */
export interface Origin {
  seq: number;
  index: number;
}

export function formatOrigin(origin: Origin): string {
  return `${origin.seq}.${origin.index}`;
}

export function findOrigin(text: string): Origin | null {
  const match = /^(\d{1,15})\.(\d{1,6})$/.exec(text);
  return match ? { seq: Number(match[1]), index: Number(match[2]) } : null;
}

function quote(text: string): string {
  return text === '' ? 'nobody' : JSON.stringify(text.slice(0, 80));
}
