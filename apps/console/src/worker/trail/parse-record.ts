import { type ConnectorCalls, connectorCallsSchema } from '@vrsky/contracts/connector-calls';
import { subjects } from '@vrsky/contracts/subjects';
import { type TrailRecord, trailRecordSchema } from '@vrsky/contracts/trail';
import type { z } from 'zod';
import { storable } from '../storable.ts';
import { KEEP_DAYS } from './partitions.ts';

interface Refusal {
  problem: string;
}

/** A record of the trail, or why it cannot be one. What Postgres cannot store as text is replaced: a receiver's answer may hold anything. */
export function parseTrailRecord(data: Uint8Array, tenantId: string): TrailRecord | Refusal {
  return parse(trailRecordSchema, data, tenantId);
}

/** What a node says of its connectors, or why it cannot be that. A node speaks for itself only: its name is in the subject. */
export function parseCalls(data: Uint8Array, subject: string, tenantId: string, nowMs: number): ConnectorCalls | Refusal {
  const record = parse(connectorCallsSchema, data, tenantId);
  if ('problem' in record) return record;
  if (subject !== subjects.calls(record.nodeId)) return { problem: `it names node ${record.nodeId} and came as ${subject}` };
  if (record.minuteMs % MINUTE_MS !== 0) return { problem: 'its minute begins within a minute' };
  if (record.minuteMs > nowMs + AHEAD_MS || record.minuteMs < nowMs - KEEP_DAYS * DAY_MS) return { problem: 'its minute is not one that is kept' };
  const strays = [...record.events, ...(record.refusals ?? [])].filter(({ atMs }) => Math.abs(atMs - record.minuteMs) > AHEAD_MS);
  return strays.length > 0 ? { problem: 'something in it is of another time than its minute' } : record;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Clocks differ by less. */
const AHEAD_MS = 600_000;

function parse<T extends { tenantId: string }>(schema: z.ZodType<T>, data: Uint8Array, tenantId: string): T | Refusal {
  let value: unknown;
  try {
    const text = Buffer.from(data.buffer, data.byteOffset, data.length).toString('utf8');
    // Only an escape can bring in a NUL or half a character; reviving each string costs several times the parsing.
    value = text.includes('\\u') ? JSON.parse(text, storable) : JSON.parse(text);
  } catch (error) {
    return { problem: `it is not JSON: ${(error as Error).message.slice(0, 100)}` };
  }
  const parsed = schema.safeParse(value);
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
