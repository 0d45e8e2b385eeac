/**
 * Lets requests that come soon after each other go on together. Alone, each costs a wake-up of every process on its way, which is most of what a
 * request costs when some hundreds come a second; a few milliseconds later, several share them.
 *
 * Nobody waits for nothing: what comes after a pause goes on at once, and so does everything as soon as every sender that was heard lately waits for
 * its answer, since then nobody is left who could send. A sender that goes on only after each answer is never slowed down.
 */
export interface Gathering {
  /** Calls `handOver` now or within `gatherMs`, in the order of the calls. */
  add(handOver: () => void): void;
  /** A sender's connection has brought a request. */
  heard(connection: Heard): void;
  /** A request is being answered: its sender may send the next one. */
  answered(): void;
  /** Hands over what waits, and from now on everything at once. */
  stop(): void;
}

/** What is noted at a connection. */
export interface Heard {
  heardIn?: number;
}

/** With so many together, another one saves next to nothing more. */
const ENOUGH = 8;
/** Senders are counted by spans of this length; who was heard in this span or the last one counts. */
const SPAN_MS = 64;

export function createGathering(gatherMs: number, nowMs: () => number = () => performance.now()): Gathering {
  let gathered: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;
  /** Requests that were heard and not answered. */
  let open = 0;
  let span = 0;
  let heardNow = 0;
  let heardBefore = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  let stopped = gatherMs <= 0;

  const handOverAll = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const due = gathered;
    gathered = [];
    lastMs = nowMs();
    for (const handOver of due) handOver();
  };
  const isWorthIt = (): boolean => open < Math.max(heardNow, heardBefore) && (gathered.length > 0 || nowMs() - lastMs < gatherMs);

  return {
    heard(connection) {
      open++;
      const current = Math.floor(nowMs() / SPAN_MS);
      if (current !== span) {
        heardBefore = current === span + 1 ? heardNow : 0;
        heardNow = 0;
        span = current;
      }
      if (connection.heardIn === current) return;
      connection.heardIn = current;
      heardNow++;
    },
    answered() {
      open--;
    },
    add(handOver) {
      if (stopped) return handOver();
      const waits = gathered.length + 1 < ENOUGH && isWorthIt();
      gathered.push(handOver);
      if (!waits) handOverAll();
      else timer ??= setTimeout(handOverAll, gatherMs);
    },
    stop() {
      stopped = true;
      handOverAll();
    },
  };
}
