import type { PubAck } from '@vrsky/bus/publisher';
import { AppError, isAppError } from '@vrsky/kernel/errors';
import { type PackJob, throwIfStopped } from './pack-job.ts';

/** Troubles that pass. */
const waitsFor: ReadonlySet<string> = new Set(['BUS.UNAVAILABLE', 'BUS.FULL']);

type Publishing = Pick<PackJob, 'tenant' | 'pauses' | 'stop' | 'log'>;

/** Publishes until it is on disk: the pack is in our hands meanwhile, so a bus that is away or full holds back, and loses nothing. */
export async function publishUntilStored(job: Publishing, subject: string, headers: Record<string, string>, body: Uint8Array): Promise<PubAck>;
/** The same, but null when the stream is full. */
export async function publishUntilStored(
  job: Publishing,
  subject: string,
  headers: Record<string, string>,
  body: Uint8Array,
  options: { unlessFull: true },
): Promise<PubAck | null>;
export async function publishUntilStored(
  { tenant, pauses, stop, log }: Publishing,
  subject: string,
  headers: Record<string, string>,
  body: Uint8Array,
  options?: { unlessFull: true },
): Promise<PubAck | null> {
  for (;;) {
    try {
      const ack = await tenant.bus.publish(subject, headers, body);
      pauses.bus.over();
      return ack;
    } catch (error) {
      if (!isAppError(error) || !waitsFor.has(error.code))
        throw new AppError({ code: 'DELIVERY.NOT_STORED', kind: 'internal', message: `could not store on ${subject}`, cause: error });
      if (options?.unlessFull && error.code === 'BUS.FULL') return null;
      if (pauses.bus.isOver) log.warn({ tenantId: tenant.tenantId, subject, err: error }, 'not stored yet; trying again');
    }
    await pauses.bus.wait(stop);
    throwIfStopped(stop);
  }
}
