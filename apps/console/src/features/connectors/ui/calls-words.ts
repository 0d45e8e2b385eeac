import { formatCount, formatMicros, formatNumber } from '../../../ui/format.ts';
import type { CallMinute, ConnectorEventView, MethodCalls } from '../calls-types.ts';

interface MethodWords {
  /** In the first column. */
  name: string;
  /** What a call is, for a sentence: "applied your settings". */
  did: string;
}

const known: Record<string, MethodWords> = {
  '/vrsky.connector.v1.Connector/Describe': { name: 'Describe', did: 'asked what it is and can be set to' },
  '/vrsky.connector.v1.Connector/Validate': { name: 'Validate', did: 'had it check settings' },
  '/vrsky.connector.v1.Connector/Configure': { name: 'Configure', did: 'applied your settings' },
  '/vrsky.connector.v1.Connector/Receive': { name: 'Receive', did: 'opened the line for incoming messages' },
  '/vrsky.connector.v1.Connector/Send': { name: 'Send', did: 'opened the line for outgoing messages' },
  '/vrsky.connector.v1.Connector/Drain': { name: 'Drain', did: 'let it finish what it had in hand' },
  '/grpc.health.v1.Health/Check': { name: 'Health', did: 'asked whether it is well' },
  '/plugin.GRPCStdio/StreamStdio': { name: 'Output', did: 'opened the line for what it prints' },
  '/plugin.GRPCController/Shutdown': { name: 'Shutdown', did: 'asked it to end' },
};

const order = Object.keys(known);

/** A method by its name in the contract; one that nobody knows by the last part of its path. */
export function methodName(method: string): string {
  return known[method]?.name ?? method.slice(method.lastIndexOf('/') + 1);
}

/** What was done, how often, how it ended and how long it took: "Applied your settings 3 times, all OK, 2 ms". */
export function methodSentence(call: MethodCalls): string {
  const parts = [
    messagesPart(call),
    call.calls > 0 ? `${known[call.method]?.did ?? 'called it'} ${times(call.calls)}` : null,
    resultsPart(call),
    timePart(call),
    call.refused > 0 ? `${formatCount(call.refused, 'call')} refused: not allowed, and never sent` : null,
  ].filter((part) => part !== null);
  return upperFirst(parts.join(', ')) || 'Nothing but what went on from before';
}

function messagesPart({ sent, received }: MethodCalls): string | null {
  if (sent > 0) return `handed it ${formatCount(sent, 'message')}`;
  return received > 0 ? `took ${formatCount(received, 'message')} from it` : null;
}

function resultsPart({ results, calls, stream }: MethodCalls): string | null {
  const rows = Object.entries(results);
  if (rows.length === 0) return stream && calls > 0 ? 'still open' : null;
  // A line that the node closes when it stops ends as cancelled: that is how it should be.
  if (stream)
    return `${formatCount(
      rows.reduce((sum, [, count]) => sum + count, 0),
      'line',
    )} ended`;
  if (rows.length === 1 && rows[0]?.[0] === 'OK') return calls === 1 ? 'OK' : 'all OK';
  return rows
    .toSorted(([a], [b]) => (a === 'OK' ? -1 : b === 'OK' ? 1 : a < b ? -1 : 1))
    .map(([status, count]) => `${formatNumber(count)} ${status === 'OK' ? 'OK' : `${statusWords[status] ?? 'failed'} (${status})`}`)
    .join(', ');
}

const statusWords: Record<string, string> = {
  CANCELLED: 'broken off',
  INVALID_ARGUMENT: 'refused as wrong',
  DEADLINE_EXCEEDED: 'not answered in time',
  NOT_FOUND: 'not found',
  RESOURCE_EXHAUSTED: 'too large or too many',
  FAILED_PRECONDITION: 'refused for now',
  UNIMPLEMENTED: 'not known to it',
  INTERNAL: 'failed in it',
  UNAVAILABLE: 'not reached',
};

function timePart({ stream, meanUs, maxUs }: MethodCalls): string | null {
  if (stream || meanUs === null || maxUs === null) return null;
  return maxUs > meanUs * 1.5 ? `${formatMicros(meanUs)} on average, ${formatMicros(maxUs)} at most` : formatMicros(maxUs);
}

/** Whether something in it needs a second look. */
export function isTroubled({ refused, results, stream }: MethodCalls): boolean {
  return refused > 0 || (!stream && Object.keys(results).some((status) => status !== 'OK'));
}

/** As a connector lives: what it is, its settings, messages, its end; what is not known comes first. */
export function inOrder(methods: readonly MethodCalls[]): MethodCalls[] {
  return methods.toSorted((a, b) => order.indexOf(a.method) - order.indexOf(b.method));
}

export const eventWords: Record<ConnectorEventView['kind'], string> = {
  started: 'Started',
  ended: 'Ended',
  upgraded: 'Upgraded',
  paused: 'Paused',
  refused: 'Refused',
};

/** One value for each minute from the first to the last, zero where nothing happened. */
export function valuesPerMinute(points: readonly CallMinute[], from: string, to: string, pick: (minute: CallMinute) => number): number[] {
  const fromMs = Date.parse(from);
  const values = Array.from({ length: Math.max(0, Math.round((Date.parse(to) - fromMs) / 60_000)) }, () => 0);
  for (const point of points) {
    const at = Math.round((Date.parse(point.at) - fromMs) / 60_000);
    if (at in values) values[at] = (values[at] ?? 0) + pick(point);
  }
  return values;
}

function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${formatNumber(count)} times`;
}

function upperFirst(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
