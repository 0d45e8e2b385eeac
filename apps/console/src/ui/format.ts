const NBSP = '\u00a0';
const whole = new Intl.NumberFormat('en-GB');
const compact = new Intl.NumberFormat('en-GB', { notation: 'compact', maximumFractionDigits: 1 });

/** 1,234,567 */
export function formatNumber(value: number): string {
  return whole.format(value);
}

/** 1.2M: for axes and cards, where the exact value is a hover away. */
export function formatCompact(value: number): string {
  return compact.format(value);
}

/** "1 message", "2,000 messages". */
export function formatCount(value: number, one: string, many = `${one}s`): string {
  return `${whole.format(value)}${NBSP}${value === 1 ? one : many}`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes}${NBSP}B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 'B';
  for (const next of units) {
    if (value < 1_000) break;
    value /= 1_000;
    unit = next;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)}${NBSP}${unit}`;
}

/** From microseconds, with the unit a person would choose. */
export function formatMicros(us: number): string {
  if (us < 1_000) return `${Math.round(us)}${NBSP}µs`;
  return formatMillis(us / 1_000);
}

export function formatMillis(ms: number): string {
  if (ms < 10) return `${trim(ms.toFixed(1))}${NBSP}ms`;
  if (ms < 1_000) return `${Math.round(ms)}${NBSP}ms`;
  if (ms < 60_000) return `${trim((ms / 1_000).toFixed(ms < 10_000 ? 1 : 0))}${NBSP}s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return twoUnits(minutes, 'min', Math.floor((ms % 60_000) / 1_000), 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return twoUnits(hours, 'h', minutes % 60, 'min');
  return formatCount(Math.floor(hours / 24), 'day');
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  const first = `${large}${NBSP}${largeUnit}`;
  return small === 0 ? first : `${first}${NBSP}${small}${NBSP}${smallUnit}`;
}

function trim(text: string): string {
  return text.endsWith('.0') ? text.slice(0, -2) : text;
}

/** `msg_01jd8k…x3k9q`: both ends of an id say more than its beginning. */
export function shortenMiddle(text: string, head = 9, tail = 5): string {
  return text.length <= head + tail + 1 ? text : `${text.slice(0, head)}…${text.slice(-tail)}`;
}

/** "12 s ago"; older than a day: the date and time. */
export function formatRelative(atMs: number, nowMs: number): string {
  const seconds = Math.round((nowMs - atMs) / 1_000);
  if (seconds < -1) return `in${NBSP}${ago(-seconds)}`;
  if (seconds < 2) return 'now';
  if (seconds < 86_400) return `${ago(seconds)}${NBSP}ago`;
  return formatDateTime(atMs, nowMs);
}

function ago(seconds: number): string {
  if (seconds < 60) return `${seconds}${NBSP}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}${NBSP}min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}${NBSP}h`;
  return formatCount(Math.floor(seconds / 86_400), 'day');
}

function formatDateTime(atMs: number, nowMs: number): string {
  const sameYear = new Date(atMs).getFullYear() === new Date(nowMs).getFullYear();
  return new Intl.DateTimeFormat('en-GB', {
    day: 'numeric',
    month: 'short',
    ...(sameYear ? {} : { year: 'numeric' }),
    hour: '2-digit',
    minute: '2-digit',
  }).format(atMs);
}

/** 14:03:21.482, in the reader's zone. */
export function formatClock(atMs: number, precision: 'minute' | 'second' | 'ms' = 'second'): string {
  return new Intl.DateTimeFormat('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    ...(precision === 'minute' ? {} : { second: '2-digit' }),
    ...(precision === 'ms' ? { fractionalSecondDigits: 3 } : {}),
  }).format(atMs);
}

/** The exact time twice: where the reader is, and in UTC for talking to others. */
export function formatExact(atMs: number): { local: string; utc: string } {
  const date = new Date(atMs);
  return {
    local: new Intl.DateTimeFormat('en-GB', {
      weekday: 'short',
      day: 'numeric',
      month: 'short',
      year: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      fractionalSecondDigits: 3,
      timeZoneName: 'short',
    }).format(date),
    utc: `${date.toISOString().replace('T', ' ').replace('Z', '')} UTC`,
  };
}
