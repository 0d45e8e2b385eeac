import { type TrailRecord, trailRecordSchema } from '@vrsky/contracts/trail';
import { storable } from '../storable.ts';

/** A record of the trail, or why it cannot be one. What Postgres cannot store as text is replaced: a receiver's answer may hold anything. */
export function parseTrailRecord(data: Uint8Array, tenantId: string): TrailRecord | { problem: string } {
  let value: unknown;
  try {
    const text = Buffer.from(data.buffer, data.byteOffset, data.length).toString('utf8');
    // Only an escape can bring in a NUL or half a character; reviving each string costs several times the parsing.
    value = text.includes('\\u') ? JSON.parse(text, storable) : JSON.parse(text);
  } catch (error) {
    return { problem: `it is not JSON: ${(error as Error).message.slice(0, 100)}` };
  }
  const parsed = trailRecordSchema.safeParse(value);
  if (!parsed.success)
    return {
      problem: `it has the wrong shape: ${parsed.error.issues
        .map((issue) => `${issue.path.join('.')} ${issue.code}`)
        .slice(0, 5)
        .join(', ')}`,
    };
  if (parsed.data.tenantId !== tenantId) return { problem: `it names ${parsed.data.tenantId} and lies in the stream of ${tenantId}` };
  return parsed.data;
}
