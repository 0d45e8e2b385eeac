import { createLineSplitter } from './line-splitter.ts';

export type PluginLogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/** One line a plugin wrote, made safe: whoever logs it nests it whole under a key of ours. */
export interface PluginLogRecord {
  level: PluginLogLevel;
  message: string;
  module: string;
  fields: Record<string, unknown>;
  /** On a record of ours about what was left out: how many bytes. */
  dropped?: number;
}

const LINE_BYTES_MAX = 65_536;
const LINES_PER_SECOND_MAX = 200;
const BYTES_PER_SECOND_MAX = 4 * LINE_BYTES_MAX;
/** While a flood goes on, how often its size is told. */
const REPORT_EVERY_S = 10;
const MODULE_CHARS_MAX = 100;
const FIELDS_MAX = 32;

const levels: readonly PluginLogLevel[] = ['trace', 'debug', 'info', 'warn', 'error'];
const isLevel = (value: unknown): value is PluginLogLevel => levels.includes(value as PluginLogLevel);

export interface PluginLogReader {
  push(chunk: Buffer): void;
  end(): void;
}

/**
 * Reads a plugin's stderr: hclog's JSON lines, or plain text. Bounded per line and per second. What is beyond is not even looked at,
 * so that a plugin may write as fast as it can without costing its host much more than the reading; that it is left out is said once,
 * and how much it was when the flood is over. After a Go panic every line is an error.
 */
export function createPluginLogReader(onRecord: (record: PluginLogRecord) => void, nowMs: () => number = Date.now): PluginLogReader {
  let panicking = false;
  let second = 0;
  let lines = 0;
  let bytes = 0;
  /** The bounds of this second are reached. */
  let isOver = false;
  /** What is left of a line whose beginning was left out is left out as well. */
  let inMiddle = false;
  let leftOutBytes = 0;
  let leftOutAt = 0;
  let saidAt: number | null = null;

  const say = (message: string): void => onRecord({ level: 'warn', message, module: 'host', fields: {} });
  const report = (): void => {
    if (leftOutBytes > 0)
      onRecord({ level: 'warn', message: `${leftOutBytes} bytes of what the plugin wrote were left out`, module: 'host', fields: {}, dropped: leftOutBytes });
    leftOutBytes = 0;
  };
  const startSecond = (): void => {
    const now = Math.floor(nowMs() / 1_000);
    if (now === second) return;
    const isFloodOver = now > leftOutAt + 1;
    second = now;
    lines = 0;
    bytes = 0;
    isOver = false;
    if (saidAt === null || (!isFloodOver && now < saidAt + REPORT_EVERY_S)) return;
    report();
    saidAt = isFloodOver ? null : now;
  };
  const leaveOut = (count: number): void => {
    leftOutBytes += count;
    leftOutAt = second;
    if (saidAt !== null) return;
    saidAt = second;
    say(`the plugin writes more than ${LINES_PER_SECOND_MAX} lines or ${BYTES_PER_SECOND_MAX / 1_024} KiB in a second: what is beyond is left out`);
  };
  const splitter = createLineSplitter(LINE_BYTES_MAX, (bytesOfLine) => {
    lines++;
    bytes += bytesOfLine.length;
    isOver ||= lines > LINES_PER_SECOND_MAX || bytes > BYTES_PER_SECOND_MAX;
    if (isOver) {
      leaveOut(bytesOfLine.length + 1);
      return;
    }
    const line = bytesOfLine.toString('utf8');
    if (line.startsWith('panic: ') || line.startsWith('fatal error: ')) panicking = true;
    const record = parseLogLine(line);
    onRecord(panicking ? { ...record, level: 'error' } : record);
  });
  return {
    push(chunk) {
      const from = inMiddle ? chunk.indexOf(10) + 1 : 0;
      leftOutBytes += from;
      if (from > 0) inMiddle = false;
      startSecond();
      if (!isOver && !inMiddle) {
        splitter.push(chunk.subarray(from));
        return;
      }
      leaveOut(splitter.clear() + chunk.length - from);
      inMiddle = chunk.at(-1) !== 10;
    },
    end() {
      startSecond();
      splitter.end();
      report();
    },
  };
}

/** One line of hclog's JSON; anything else is its own text. Never throws, whatever types the plugin chose. */
export function parseLogLine(line: string): PluginLogRecord {
  const plain: PluginLogRecord = { level: 'debug', message: line, module: '', fields: {} };
  if (!line.startsWith('{')) return withPrefixLevel(plain);
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return plain; // a line that only looks like JSON is text
  }
  const { '@level': level, '@message': message, '@module': module, '@timestamp': _, ...rest } = json as Record<string, unknown>;
  if (!isLevel(level) || typeof message !== 'string') return plain;
  return {
    level,
    message,
    module: typeof module === 'string' ? module.slice(0, MODULE_CHARS_MAX) : '',
    fields: Object.fromEntries(Object.entries(rest).slice(0, FIELDS_MAX)),
  };
}

/** A line in hclog's JSON, as a plugin writes it to stderr. */
export function formatLogLine(record: PluginLogRecord, at: Date = new Date()): string {
  const timestamp = at.toISOString().replace('Z', '000Z'); // hclog writes microseconds
  return `${JSON.stringify({ ...record.fields, '@level': record.level, '@message': record.message, '@module': record.module, '@timestamp': timestamp })}\n`;
}

function withPrefixLevel(record: PluginLogRecord): PluginLogRecord {
  const prefix = /^\[(TRACE|DEBUG|INFO|WARN|ERROR)\]/.exec(record.message)?.[1];
  return prefix === undefined ? record : { ...record, level: prefix.toLowerCase() as PluginLogLevel };
}
