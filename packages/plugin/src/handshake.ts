import { AppError } from '@vrsky/kernel/errors';

/** The protocol of hashicorp/go-plugin that both halves speak; it has been 1 since it exists. */
export const CORE_PROTOCOL_VERSION = 1;

/** Tells a person who starts a plugin by hand that it is one. Not a secret and no protection. */
export interface MagicCookie {
  key: string;
  value: string;
}

export const connectorCookie: MagicCookie = { key: 'VRSKY_PLUGIN', value: 'vrsky.connector' };
/** Versions of `vrsky.connector` that we speak. */
export const connectorVersions: readonly number[] = [1];

/** Names of the variables by which a host tells its plugin what it needs. */
export const pluginEnv = {
  protocolVersions: 'PLUGIN_PROTOCOL_VERSIONS',
  minPort: 'PLUGIN_MIN_PORT',
  maxPort: 'PLUGIN_MAX_PORT',
  clientCert: 'PLUGIN_CLIENT_CERT',
  socketDir: 'PLUGIN_UNIX_SOCKET_DIR',
  socketGroup: 'PLUGIN_UNIX_SOCKET_GROUP',
  multiplex: 'PLUGIN_MULTIPLEX_GRPC',
} as const;

/** A plugin's first line on stdout, checked. */
export interface Handshake {
  version: number;
  /** Target for gRPC: `unix:/path` or `127.0.0.1:port`. */
  target: string;
  /** The plugin's own certificate, DER. The only one the host will trust. */
  serverCert: Buffer;
}

/** A certificate with a P-521 key, as Go makes it, takes about 900 characters. */
export const HANDSHAKE_BYTES_MAX = 16_384;
/** What Linux allows for the path of a socket (`sun_path`, its end included). */
const SOCKET_PATH_BYTES_MAX = 107;
/** Before AutoMTLS the field held other things, and hosts tell them apart by length. */
const CERT_CHARS_MIN = 51;
/** How many versions of a peer's list we look at. */
const VERSIONS_MAX = 32;

/**
 * The handshake line has room for one version. A plugin that knows none of its host's therefore also logs this sentence, with its
 * whole list in the field `versions`, so that the host can say what would fit.
 */
export const NO_COMMON_VERSION = 'no version of the protocol is known to both sides';

/**
 * Parses what a plugin, which may be broken or hostile, says about itself. It may name only a socket in the directory we gave it
 * or a port on loopback: the host connects to nothing else. Throws AppError `PLUGIN.HANDSHAKE` or `PLUGIN.VERSION`.
 */
export function parseHandshake(line: string, expected: { versions: readonly number[]; socketDir: string }): Handshake {
  const fields = line.trim().split('|');
  const [core = '', app = '', network = '', address = '', protocol = '', cert = ''] = fields;
  if (fields.length < 4) throw refused(`not a handshake: ${quote(line)}`);
  if (core !== String(CORE_PROTOCOL_VERSION)) throw refused(`it speaks version ${quote(core)} of the plugin protocol, we speak ${CORE_PROTOCOL_VERSION}`);
  if (!/^\d{1,9}$/.test(app)) throw refused(`its application version is ${quote(app)}`);
  const version = Number(app);
  if (!expected.versions.includes(version)) throw versionRefused([version], expected.versions);
  // An absent protocol means the old net/rpc one.
  if (protocol !== 'grpc') throw refused(`it speaks ${quote(protocol || 'netrpc')}, only grpc is supported`);
  return { version, target: parseTarget(network, address, expected.socketDir), serverCert: parseCert(cert) };
}

/** The line a plugin prints. `multiplex` is answered only when asked for: older hosts take a seventh field for part of the certificate. */
export function formatHandshake(o: { version: number; socketPath: string; serverCert: Buffer | null; multiplexAsked: boolean }): string {
  const cert = o.serverCert === null ? '' : o.serverCert.toString('base64').replace(/=+$/, '');
  return `${CORE_PROTOCOL_VERSION}|${o.version}|unix|${o.socketPath}|grpc|${cert}${o.multiplexAsked ? '|false' : ''}\n`;
}

/** The highest version both know; without one, our lowest, which lets the host say what is wrong. */
export function negotiateVersion(ours: readonly number[], theirs: string | undefined): number {
  const known = new Set(parseVersions(theirs ?? ''));
  const descending = ours.toSorted((a, b) => b - a);
  return descending.find((version) => known.has(version)) ?? (descending.at(-1) as number);
}

function parseTarget(network: string, address: string, socketDir: string): string {
  if (network === 'unix') {
    if (!address.startsWith(`${socketDir}/`) || address.includes('/', socketDir.length + 1))
      throw refused(`its socket ${quote(address)} is not in the directory it was given`);
    if (address.includes('\0')) throw refused('the path of its socket has a zero byte');
    if (Buffer.byteLength(address) > SOCKET_PATH_BYTES_MAX) throw refused(`the path of its socket has more than ${SOCKET_PATH_BYTES_MAX} bytes`);
    return `unix:${address}`;
  }
  if (network === 'tcp') {
    const port = /^127\.0\.0\.1:(\d{1,5})$/.exec(address)?.[1];
    if (port === undefined || Number(port) < 1 || Number(port) > 65_535) throw refused(`its address ${quote(address)} is not a port on loopback`);
    return address;
  }
  throw refused(`it listens on ${quote(network)}, only unix and tcp are known`);
}

function parseCert(text: string): Buffer {
  if (text.length < CERT_CHARS_MIN) throw refused('it has no certificate: it does not do mutual TLS');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw refused('its certificate is not base64');
  return Buffer.from(text, 'base64');
}

/** Nothing that both sides know: AppError `PLUGIN.VERSION`, with both lists also for the customer. */
export function versionRefused(theirs: readonly number[], ours: readonly number[]): AppError {
  return new AppError({
    code: 'PLUGIN.VERSION',
    kind: 'precondition',
    source: 'plugin',
    message: `the plugin speaks ${listVersions(theirs)}, we speak ${ours.join(', ')}`,
    publicMessage: `This connector was built for another version of the platform: it speaks ${listVersions(theirs)} of the connector protocol, this node speaks ${listVersions(ours)}. Install a release that fits.`,
    details: { plugin: [...theirs], host: [...ours] },
  });
}

function listVersions(versions: readonly number[]): string {
  return `version${versions.length === 1 ? '' : 's'} ${versions.join(', ')}`;
}

/** Reads a list as hosts and plugins write it, `1,2`. What is no version is left out. */
export function parseVersions(text: string): number[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => /^\d{1,9}$/.test(part))
    .slice(0, VERSIONS_MAX)
    .map(Number);
}

export function refused(problem: string): AppError {
  return new AppError({
    code: 'PLUGIN.HANDSHAKE',
    kind: 'unavailable',
    source: 'plugin',
    message: `the plugin's handshake is refused: ${problem}`,
    publicMessage:
      'The connector’s first words are not those of a connector: it is another kind of program, or it prints something before it starts. It is tried again; if this stays, tell the platform’s operator.',
  });
}

/** A stranger's text in a message of ours: short, and without control characters. */
function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
