/** What we need of a request's headers, read in one pass. */
export interface RequestHeaders {
  /** How many `Host` headers there are. */
  hosts: number;
  contentType: string;
  /** -1 when there is none. */
  contentLength: number;
  contentEncoding: string;
  traceparent: string;
  tracestate: string;
  /** What the pipeline may see. */
  passed: [string, string][];
}

const TRACESTATE_CHARS_MAX = 512;

type Use = 'pass' | 'drop' | 'host' | 'contentType' | 'contentLength' | 'contentEncoding' | 'traceparent' | 'tracestate' | 'connection';

/**
 * Never passed on: who somebody is (a pipeline's steps and receivers must not get the sender's credentials), what only concerns this
 * connection (RFC 9110 §7.6.1), and what the platform alone says.
 */
const uses: ReadonlyMap<string, Use> = new Map<string, Use>([
  ...['authorization', 'proxy-authorization', 'cookie', 'x-api-key', 'api-key', 'x-auth-token', 'x-access-token', 'customer-id', 'idempotency-key'].map(
    (name): [string, Use] => [name, 'drop'],
  ),
  ...['keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect', 'accept', 'accept-encoding', 'accept-language'].map(
    (name): [string, Use] => [name, 'drop'],
  ),
  ['host', 'host'],
  ['content-type', 'contentType'],
  ['content-length', 'contentLength'],
  ['content-encoding', 'contentEncoding'],
  ['traceparent', 'traceparent'],
  ['tracestate', 'tracestate'],
  ['connection', 'connection'],
]);
const ownPrefixes = ['vrsky-', 'nats-'];

/** Senders repeat the same few spellings; the bound keeps a hostile one from filling memory. */
const knownNames = new Map<string, { name: string; use: Use }>();
const KNOWN_NAMES_MAX = 2_000;
const KNOWN_NAME_CHARS_MAX = 64;

/** `raw` is Node's list of names and values in turn. */
export function readHeaders(raw: readonly string[]): RequestHeaders {
  const headers: RequestHeaders = { hosts: 0, contentType: '', contentLength: -1, contentEncoding: '', traceparent: '', tracestate: '', passed: [] };
  let traceparents = 0;
  let connection = '';
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const { name, use } = lookUp(raw[i] as string);
    const value = raw[i + 1] as string;
    switch (use) {
      case 'pass':
        headers.passed.push([name, value]);
        break;
      case 'host':
        headers.hosts++;
        break;
      case 'contentType':
        headers.contentType ||= value;
        break;
      case 'contentLength':
        headers.contentLength = Number(value);
        break;
      case 'contentEncoding':
        headers.contentEncoding = value.toLowerCase();
        break;
      case 'traceparent':
        headers.traceparent = ++traceparents === 1 && isTraceparent(value) ? value : '';
        break;
      case 'tracestate':
        headers.tracestate = headers.tracestate === '' ? value : `${headers.tracestate},${value}`;
        break;
      case 'connection':
        connection = connection === '' ? value : `${connection},${value}`;
        break;
      case 'drop':
        break;
    }
  }
  if (connection !== '') headers.passed = withoutNamed(headers.passed, connection.toLowerCase());
  if (headers.traceparent === '' || headers.tracestate.length > TRACESTATE_CHARS_MAX) headers.tracestate = '';
  return headers;
}

/** W3C Trace Context: a version we can read, ids that are not all zero. */
export function isTraceparent(value: string): boolean {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/.exec(value);
  if (match === null || match[1] === 'ff' || (match[1] === '00' && match[4] !== undefined)) return false;
  return !/^0+$/.test(match[2] as string) && !/^0+$/.test(match[3] as string);
}

function lookUp(spelling: string): { name: string; use: Use } {
  const known = knownNames.get(spelling);
  if (known !== undefined) return known;
  const name = spelling.toLowerCase();
  const found = { name, use: uses.get(name) ?? (ownPrefixes.some((prefix) => name.startsWith(prefix)) ? 'drop' : 'pass') };
  if (knownNames.size < KNOWN_NAMES_MAX && spelling.length <= KNOWN_NAME_CHARS_MAX) knownNames.set(spelling, found);
  return found;
}

/** `Connection` may name further headers that are only for this connection. */
function withoutNamed(passed: [string, string][], connection: string): [string, string][] {
  if (connection === 'keep-alive' || connection === 'close') return passed;
  const named = new Set(connection.split(',').map((name) => name.trim()));
  return passed.filter(([name]) => !named.has(name));
}
