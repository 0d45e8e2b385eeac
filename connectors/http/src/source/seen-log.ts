import { close, mkdir, open, readdir, readFile, unlink, write } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';

/** One stored id of a sender, as it is written. */
export interface SeenRecord {
  /** Whose id it is. */
  scope: string;
  key: string;
  untilMs: number;
  messageIds: readonly string[];
}

export interface SeenLogOptions {
  /** Ours alone; made when it is missing. */
  dir: string;
  /** What is to be found again, and how much that is: see `weightOf`. */
  live: { records(): Iterable<SeenRecord>; weight(): number };
  /** Told once when the disk takes no more, and once when it does again (null). */
  onTrouble(reason: string | null): void;
  /** Told of a record that is in memory alone. */
  onUnwritten(): void;
  times?: Partial<SeenLogTimes>;
}

export interface SeenLogTimes {
  /** For a write: a sender waits for it. */
  writeMs: number;
  /** Until a disk that failed is tried again. */
  retryMs: number;
}

/**
 * Records on disk, appended before their senders hear of it: one write for all that come in a moment. A crash of the process loses nothing that
 * was written; a power cut may lose the last seconds. A disk that is full, slow or broken holds up nobody: records are then in memory alone, and
 * all of them are written once it works again.
 */
export interface SeenLog {
  /** What earlier processes wrote, before anything is appended. Never rejects: damaged lines are left out, and so are files with a problem. */
  read(): Promise<{ records: SeenRecord[]; damaged: number; problems: string[] }>;
  /** `onSettled` is called when it is written, or when it will not be. */
  append(record: SeenRecord, onSettled: () => void): void;
}

const times: SeenLogTimes = { writeMs: 1_000, retryMs: 10_000 };
/** Below what a sandbox lets a plugin's file become. */
const FILE_BYTES_MAX = 16 * 1_048_576;
const FILES_MAX = 8;
/** Dead weight that is not worth a rewrite. */
const SLACK = 20_000;
/** Records that a rewrite writes at a time at least; more where more come in, so that it comes to its end. */
const REWRITE_AT_ONCE = 500;
const NAME = /^seen-(\d{1,12})\.log$/;

const openFile = promisify(open);
const writeText = promisify(write);
const readText = promisify(readFile);
const closeFile = promisify(close);
const removeFile = promisify(unlink);

/** How much a record takes, in memory and on disk. */
export function weightOf(messageIds: readonly string[]): number {
  return 1 + messageIds.length;
}

export function createSeenLog(options: SeenLogOptions): SeenLog {
  const { dir, live, onTrouble, onUnwritten } = options;
  const { writeMs, retryMs } = { ...times, ...options.times };
  /** Written before, oldest first; `file` is the one that is being written. */
  let closed: number[] = [];
  let file: { no: number; fd: number; bytes: number } | null = null;
  let lastNo = 0;
  let weight = 0;
  let waiting: { line: string; weight: number; onSettled: () => void }[] = [];
  let isWorking = false;
  let rewriting: { records: Iterator<SeenRecord>; old: number[] } | null = null;
  let isBroken = false;

  const pathOf = (no: number): string => join(dir, `seen-${no}.log`);

  const giveUp = (entries: readonly { onSettled: () => void }[]): void => {
    for (const { onSettled } of entries) {
      onUnwritten();
      onSettled();
    }
  };
  const begin = async (): Promise<{ no: number; fd: number; bytes: number }> => {
    if (file !== null) {
      closed.push(file.no);
      const { fd } = file;
      file = null;
      await closeFile(fd);
    }
    const no = ++lastNo;
    const fd = await openFile(pathOf(no), 'wx', 0o600);
    file = { no, fd, bytes: 0 };
    return file;
  };
  const put = async (text: string): Promise<void> => {
    const to = file === null || file.bytes > FILE_BYTES_MAX ? await begin() : file;
    const { bytesWritten } = await writeText(to.fd, text, null, 'latin1');
    if (bytesWritten < text.length) throw new Error(`only ${bytesWritten} of ${text.length} bytes were written`);
    to.bytes += text.length;
  };
  const isWasteful = (): boolean => weight > 2 * live.weight() + SLACK || closed.length > FILES_MAX + (4 * live.weight() * LINE_BYTES) / FILE_BYTES_MAX;

  /** From here on everything goes into new files; the old ones go when all that lives is in these. */
  const beginRewrite = async (): Promise<void> => {
    const old = [...closed, ...(file === null ? [] : [file.no])];
    await begin();
    closed = [];
    weight = 0;
    rewriting = { records: live.records()[Symbol.iterator](), old };
  };
  const nextRewritten = (atOnce: number): string => {
    if (rewriting === null) return '';
    let text = '';
    for (let count = 0; count < atOnce; count++) {
      const { done, value } = rewriting.records.next();
      if (done === true) break;
      weight += weightOf(value.messageIds);
      text += lineOf(value);
    }
    return text;
  };
  const endRewrite = async (): Promise<void> => {
    const old = rewriting?.old ?? [];
    rewriting = null;
    await remove(old);
  };
  /** One that cannot be removed is read once more by the next process, which tries again. */
  const remove = async (numbers: readonly number[]): Promise<void> => {
    for (const no of numbers) await removeFile(pathOf(no)).catch(() => undefined);
  };

  const step = async (): Promise<void> => {
    if (rewriting === null && (isBroken || isWasteful())) await within(writeMs, beginRewrite());
    const batch = waiting;
    waiting = [];
    const rewritten = nextRewritten(Math.max(REWRITE_AT_ONCE, batch.length));
    const isOver = rewriting !== null && rewritten === '';
    try {
      const lines = batch.map(({ line }) => line).join('') + rewritten;
      // Nobody waits longer than that: they are answered, and the disk is left alone until it has answered, too.
      if (lines !== '') await within(writeMs, put(lines));
    } catch (error) {
      giveUp(batch);
      throw error;
    }
    for (const entry of batch) {
      weight += entry.weight;
      entry.onSettled();
    }
    if (isOver) await within(writeMs, endRewrite());
  };
  const work = async (): Promise<void> => {
    isWorking = true;
    // The rest of this tick may bring more of them.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    while (waiting.length > 0 || rewriting !== null || isBroken) {
      try {
        await step();
        if (isBroken && rewriting === null) {
          isBroken = false;
          onTrouble(null);
        }
      } catch (error) {
        await fail(error);
      }
    }
    isWorking = false;
  };
  const fail = async (error: unknown): Promise<void> => {
    if (!isBroken) onTrouble(messageOf(error));
    isBroken = true;
    giveUp(waiting.splice(0));
    if (error instanceof Late) await error.late.catch(() => undefined); // that it failed as well changes nothing
    // A half of a rewrite would only fill the disk further, and so would a file with nothing whole in it.
    const half = rewriting === null ? [] : [...closed];
    if (rewriting !== null) closed = rewriting.old;
    if (file !== null) {
      const { no, fd, bytes } = file;
      file = null;
      await closeFile(fd).catch(() => undefined); // it is not written to any more
      if (rewriting === null && bytes > 0) closed.push(no);
      else half.push(no);
    }
    rewriting = null;
    await remove(half);
    await new Promise<void>((resolve) => setTimeout(resolve, retryMs).unref());
  };

  return {
    async read() {
      const found = { records: [] as SeenRecord[], damaged: 0, problems: [] as string[] };
      const names = await makeAndList(dir).catch((error: unknown) => {
        found.problems.push(messageOf(error));
        return [];
      });
      closed = names
        .flatMap((name) => NAME.exec(name)?.[1] ?? [])
        .map(Number)
        .sort((a, b) => a - b);
      lastNo = closed.at(-1) ?? 0;
      for (const no of closed) {
        const text = await readText(pathOf(no), 'latin1').catch((error: unknown) => {
          found.problems.push(messageOf(error));
          return '';
        });
        for (const line of text.split('\n')) {
          if (line === '') continue;
          const record = findRecord(line);
          if (record === null) found.damaged++;
          else {
            weight += weightOf(record.messageIds);
            found.records.push(record);
          }
        }
      }
      return found;
    },
    append(record, onSettled) {
      // What comes while all is written anew may be of a part that has been written already.
      if (isBroken && rewriting === null) {
        giveUp([{ onSettled }]);
        return;
      }
      waiting.push({ line: lineOf(record), weight: weightOf(record.messageIds), onSettled });
      if (!isWorking) void work();
    },
  };
}

/** A line with one message, about. */
const LINE_BYTES = 90;

/** A write that was given up; it may still come to its end. */
class Late extends Error {
  readonly late: Promise<unknown>;
  constructor(ms: number, late: Promise<unknown>) {
    super(`the disk has not taken a write for ${ms} ms`);
    this.late = late;
  }
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late(ms, work)), ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function makeAndList(dir: string): Promise<string[]> {
  await promisify(mkdir)(dir, { recursive: true, mode: 0o700 });
  return promisify(readdir)(dir);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** ASCII throughout; the sum before it tells a whole line from a torn one. */
function lineOf({ scope, key, untilMs, messageIds }: SeenRecord): string {
  const text = `${scope} ${key} ${untilMs.toString(36)} ${messageIds.join(',')}`;
  return `${sumOf(text)} ${text}\n`;
}

function findRecord(line: string): SeenRecord | null {
  const [sum = '', scope = '', key = '', until = '', ids] = line.split(' ');
  if (ids === undefined || sumOf(line.slice(sum.length + 1)) !== sum) return null;
  return { scope, key, untilMs: Number.parseInt(until, 36), messageIds: ids === '' ? [] : ids.split(',') };
}

function sumOf(text: string): string {
  return crc32(text).toString(36);
}
