import { lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import type { SecureVersion } from 'node:tls';
import { buildConnector } from 'undici';
import { isForbiddenAddress } from './addresses.ts';

export class EgressForbidden extends Error {
  readonly code = 'EGRESS_FORBIDDEN';
  constructor(what: string) {
    super(`${what} is not allowed as a destination`);
    this.name = 'EgressForbidden';
  }
}

/** Who may be reached, asked before and after each connection is made. */
export interface EgressGuard {
  /** The lookup to connect with; it fails for a name that leads inside. Throws EgressForbidden for a literal address that does. */
  lookup(host: string, port: string): LookupFunction;
  /** Throws EgressForbidden when what was reached is inside. */
  checkPeer(host: string, port: string, peer: string | undefined): void;
}

/**
 * Keeps customers' requests out of the inside. Three checks, because each one alone can be passed by: a literal address never asks the
 * resolver; a name may answer differently the second time; and only the peer itself is certain. `allow` has exact `host:port` pairs, as the URL
 * has them; what they resolve to is the operator's affair. `lookup` is the system's, unless a test brings another.
 */
export function createGuard(o: { allow: ReadonlySet<string>; lookup?: LookupFunction }): EgressGuard {
  const { allow, lookup = systemLookup as LookupFunction } = o;
  const guarded = guardLookup(lookup);
  return {
    lookup(host, port) {
      if (allow.has(`${host}:${port}`)) return lookup;
      if (isIP(host) !== 0 && isForbiddenAddress(host)) throw new EgressForbidden(host);
      return guarded;
    },
    checkPeer(host, port, peer) {
      if (allow.has(`${host}:${port}`)) return;
      if (peer === undefined || isForbiddenAddress(peer)) throw new EgressForbidden(peer ?? host);
    },
  };
}

/** How connections of one kind are made. Two requests share a connection only when they have the same origin and the same way. */
export interface Way {
  /** The same for the same way; empty for the usual one. */
  key: string;
  connectTimeoutMs: number;
  /** Where the receiver offers it over TLS. */
  http2: boolean;
  tls: { minVersion?: SecureVersion; ca?: string[]; cert?: string; key?: string };
}

export interface EgressOptions {
  guard: EgressGuard;
  way: Omit<Way, 'key'>;
  /** What opens connections, unless a test brings another. */
  connect?: (options: ConnectOptions) => buildConnector.connector;
}

/** As undici takes them. */
export interface ConnectOptions {
  lookup: LookupFunction;
  timeout: number;
  allowH2: boolean;
}

/** Host and port as the guard wants them. */
export function endpointOf(target: { hostname: string; port: string; protocol: string }): { host: string; port: string } {
  return { host: target.hostname.replace(/^\[|\]$/g, ''), port: target.port || (target.protocol === 'https:' ? '443' : '80') };
}

/** A way of connecting for an HTTP client that goes where the guard lets it. */
export function createEgress({ guard, way, connect = buildDefault }: EgressOptions): buildConnector.connector {
  const options = { ...way.tls, timeout: way.connectTimeoutMs, allowH2: way.http2 };
  const connectors = new Map<LookupFunction, buildConnector.connector>();
  const connectorWith = (lookup: LookupFunction): buildConnector.connector => {
    const known = connectors.get(lookup);
    if (known !== undefined) return known;
    const made = connect({ ...options, lookup });
    connectors.set(lookup, made);
    return made;
  };
  return (target, callback) => {
    const { host, port } = endpointOf(target as { hostname: string; port: string; protocol: string });
    const refuse = (error: unknown): void => void callback(error as Error, null);
    let open: buildConnector.connector;
    try {
      open = connectorWith(guard.lookup(host, port));
    } catch (error) {
      return refuse(error);
    }
    open(target, (...[error, socket]) => {
      if (error !== null) return callback(error, null);
      try {
        guard.checkPeer(host, port, (socket as Socket).remoteAddress);
      } catch (forbidden) {
        (socket as Socket).destroy();
        return refuse(forbidden);
      }
      callback(null, socket as Socket);
    });
  };
}

function buildDefault(options: ConnectOptions): buildConnector.connector {
  return buildConnector({ ...options, autoSelectFamily: true } as buildConnector.BuildOptions);
}

/** Fails when any answer is forbidden: a name that is half inside is an attack or a mistake. */
function guardLookup(lookup: LookupFunction): LookupFunction {
  return (hostname, lookupOptions, callback) => {
    lookup(hostname, { ...lookupOptions, all: true }, (error, answer) => {
      if (error) return callback(error, answer);
      const addresses = Array.isArray(answer) ? answer : [];
      const bad = addresses.find(({ address }) => isForbiddenAddress(address));
      const first = addresses[0];
      if (first === undefined || bad !== undefined) return callback(new EgressForbidden(bad?.address ?? hostname), []);
      if (lookupOptions.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}
