import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { lengthPrefixed } from './seal.ts';

/** As a key object where many are made: bytes are looked at and copied for each one, which takes longer than the HMAC itself. */
export type ProofKey = KeyObject | Uint8Array;

/**
 * Proof that the platform stamped a pack: HMAC-SHA256 under the tenant's proof key over Customer-ID, pipeline and the ids of
 * its messages in order. Every hop verifies it, so a pack moved to another tenant or pipeline, or made up by a plugin, is seen.
 */
export function packProof(key: ProofKey, customerId: string, pipelineId: string, messageIds: readonly string[]): string {
  return createHmac('sha256', key)
    .update(lengthPrefixed([customerId, pipelineId]))
    .update(messageIds.join('\n'))
    .digest('base64url');
}

export function isPackProof(proof: string, key: ProofKey, customerId: string, pipelineId: string, messageIds: readonly string[]): boolean {
  const expected = Buffer.from(packProof(key, customerId, pipelineId, messageIds));
  const given = Buffer.from(proof);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
