import { lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { buildConnector } from 'undici';
import { isForbiddenAddress } from './addresses.ts';

export class EgressForbidden extends Error {
  readonly code = 'EGRESS_FORBIDDEN';
  constructor(what: string) {
    super(`${what} is not allowed as a destination`);
    this.name = 'EgressForbidden';
  }
}

export interface EgressOptions {
  /** Exact `host:port`, as the URL has them; what they resolve to is the operator's affair. */
  allow: ReadonlySet<string>;
  connectTimeoutMs: number;
  /** The system's resolver, unless a test brings another. */
  lookup?: LookupFunction;
  /** What opens connections, unless a test brings another. */
  connect?: (options: { lookup: LookupFunction; timeout: number }) => buildConnector.connector;
}

/**
 * A way of connecting that keeps customers' requests out of the inside. Three checks, because each one alone can be passed by: a
 * literal address never asks the resolver; a name may answer differently the second time; and only the peer itself is certain.
 */
export function createEgress(options: EgressOptions): buildConnector.connector {
  const { allow, connectTimeoutMs: timeout, lookup = systemLookup as LookupFunction, connect = buildDefault } = options;
  const open = connect({ lookup, timeout });
  const guarded = connect({ lookup: guardLookup(lookup), timeout });
  return (target, callback) => {
    const host = target.hostname.replace(/^\[|\]$/g, '');
    const port = target.port || (target.protocol === 'https:' ? '443' : '80');
    if (allow.has(`${host}:${port}`)) return open(target, callback);
    if (isIP(host) !== 0 && isForbiddenAddress(host)) return void callback(new EgressForbidden(host), null);
    guarded(target, (...[error, socket]) => {
      if (error !== null) return callback(error, null);
      const peer = (socket as Socket).remoteAddress;
      if (peer !== undefined && !isForbiddenAddress(peer)) return callback(null, socket as Socket);
      (socket as Socket).destroy();
      callback(new EgressForbidden(peer ?? host), null);
    });
  };
}

function buildDefault(o: { lookup: LookupFunction; timeout: number }): buildConnector.connector {
  return buildConnector({ ...o, allowH2: false, autoSelectFamily: true } as buildConnector.BuildOptions);
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
