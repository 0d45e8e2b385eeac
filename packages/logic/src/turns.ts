/**
 * Whose turn it is: tenants one after the other, a job each. A tenant whose messages take long gets small jobs, never one that waits
 * in a worker, and never the worker that is reserved for the others, so that it slows down nobody but itself.
 */
export interface Turns<T> {
  add(tenantId: string, job: T): void;
  /** Before everything else of the tenant. */
  putBack(tenantId: string, job: T): void;
  /** The next job and the worker that is to do it; null when none has room for any that wait. */
  next<W extends TurnWorker>(workers: readonly W[]): { tenantId: string; job: T; worker: W } | null;
  /** How long messages of a tenant kept a worker's processor busy, and the instructions that they counted. */
  note(tenantId: string, messages: number, busyUs: number, instructions: number): void;
  /** How many messages of a tenant make a turn. */
  messagesOf(tenantId: string): number;
  isHeavy(tenantId: string): boolean;
  /** Takes out everything that waits. */
  clear(): T[];
}

/** What is known of a worker. */
export interface TurnWorker {
  /** Jobs it has. */
  readonly jobs: number;
  /** Whether one of them is of a heavy tenant. */
  readonly isHeavy: boolean;
  /** Whether heavy tenants never get it. */
  readonly isReserved: boolean;
  /** Whether it has run steps of the tenant. */
  knows(tenantId: string): boolean;
}

/** How long a turn is. */
export const turnMs = 10;
const turnMessagesMax = 64;
/** A tenant whose messages take longer on average is heavy. */
const heavyUs = 1_000;
/** Jobs that a worker has at a time: the next one waits in the thread, so that it is not idle between two. */
const jobsAWorker = 2;
/** How much of what a tenant's messages took before is still counted after a job that took less. */
const memory = 0.7;
const tenantsNoted = 4_096;
/** Instructions that take a microsecond, on a slow machine. */
const instructionsAUs = 2_000;

export function createTurns<T>(): Turns<T> {
  /** In the order of their turns. */
  const waiting = new Map<string, T[]>();
  /** Microseconds a message. */
  const costs = new Map<string, number>();
  const costOf = (tenantId: string): number => costs.get(tenantId) ?? 0;
  const isHeavy = (tenantId: string): boolean => costOf(tenantId) > heavyUs;

  function pick<W extends TurnWorker>(tenantId: string, workers: readonly W[]): W | undefined {
    const heavy = isHeavy(tenantId);
    let best: W | undefined;
    let bestScore = Number.POSITIVE_INFINITY;
    for (const worker of workers) {
      if (heavy && worker.isReserved) continue;
      // Nothing waits behind a heavy job, nor a heavy job behind anything.
      if (worker.jobs >= (heavy || worker.isHeavy ? 1 : jobsAWorker)) continue;
      const score = worker.jobs * 2 + (worker.knows(tenantId) ? 0 : 1);
      if (score >= bestScore) continue;
      best = worker;
      bestScore = score;
    }
    return best;
  }

  return {
    add(tenantId, job) {
      const queue = waiting.get(tenantId);
      if (queue) queue.push(job);
      else waiting.set(tenantId, [job]);
    },

    putBack(tenantId, job) {
      const queue = waiting.get(tenantId);
      if (queue) queue.unshift(job);
      else waiting.set(tenantId, [job]);
    },

    next(workers) {
      if (workers.every((worker) => worker.jobs >= jobsAWorker)) return null;
      for (const [tenantId, queue] of waiting) {
        const worker = pick(tenantId, workers);
        if (!worker) continue;
        const job = queue.shift() as T;
        waiting.delete(tenantId);
        if (queue.length > 0) waiting.set(tenantId, queue); // behind the others
        return { tenantId, job, worker };
      }
      return null;
    },

    note(tenantId, messages, busyUs, instructions) {
      if (messages === 0) return;
      // What the instructions do not explain may be a collection of garbage or code that is compiled: it counts more only as it goes on.
      const explained = Math.max(instructions / instructionsAUs / messages, 2 * Math.max(costOf(tenantId), heavyUs / 4));
      const cost = Math.min(busyUs / messages, explained);
      // It rises at once and falls slowly: who alternates between cheap and expensive messages is expensive.
      const next = Math.max(cost, costOf(tenantId) * memory + cost * (1 - memory));
      costs.delete(tenantId);
      if (costs.size >= tenantsNoted) costs.delete(costs.keys().next().value as string);
      costs.set(tenantId, next);
    },

    messagesOf: (tenantId) => Math.max(1, Math.min(turnMessagesMax, Math.floor((turnMs * 1_000) / Math.max(1, costOf(tenantId))))),
    isHeavy,

    clear() {
      const left = [...waiting.values()].flat();
      waiting.clear();
      return left;
    },
  };
}
