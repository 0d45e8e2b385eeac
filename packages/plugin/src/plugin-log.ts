import { createLineSplitter } from './line-splitter.ts';

export type PluginLogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/** One line a plugin wrote, made safe: whoever logs it nests it whole under a key of ours. */
export interface PluginLogRecord {
  level: PluginLogLevel;
  message: string;
  module: string;
  fields: Record<string, unknown>;
  /** On a record of ours about lines that were left out: how many. */
  dropped?: number;
}

const LINE_BYTES_MAX = 65_536;
const LINES_PER_SECOND_MAX = 200;
const MODULE_CHARS_MAX = 100;
const FIELDS_MAX = 32;

const levels: readonly PluginLogLevel[] = ['trace', 'debug', 'info', 'warn', 'error'];
const isLevel = (value: unknown): value is PluginLogLevel => levels.includes(value as PluginLogLevel);

export interface PluginLogReader {
  push(chunk: Buffer): void;
  end(): void;
}

/**
 * Reads a plugin's stderr: hclog's JSON lines, or plain text. Bounded per line and per second; what was left out is counted in a
 * record of its own. After a Go panic every line is an error.
 */
export function createPluginLogReader(onRecord: (record: PluginLogRecord) => void, nowMs: () => number = Date.now): PluginLogReader {
  let panicking = false;
  let second = 0;
  let lines = 0;
  let dropped = 0;

  const report = (): void => {
    if (dropped > 0)
      onRecord({
        level: 'warn',
        message: `${dropped} lines of the plugin were left out: more than ${LINES_PER_SECOND_MAX} a second`,
        module: '',
        fields: {},
        dropped,
      });
    dropped = 0;
  };
  const splitter = createLineSplitter(LINE_BYTES_MAX, (line) => {
    const now = Math.floor(nowMs() / 1_000);
    if (now !== second) {
      report();
      second = now;
      lines = 0;
    }
    if (++lines > LINES_PER_SECOND_MAX) {
      dropped++;
      return;
    }
    if (line.startsWith('panic: ') || line.startsWith('fatal error: ')) panicking = true;
    const record = parseLogLine(line);
    onRecord(panicking ? { ...record, level: 'error' } : record);
  });
  return {
    push: splitter.push,
    end() {
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
