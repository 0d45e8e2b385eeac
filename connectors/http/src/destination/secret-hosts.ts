import type { Secret } from '@vrsky/sdk/connector';

/**
 * Whether a secret's value may be sent to a host. Its entries are names or `*.example.com` for all names below one, either with `:port` for that
 * port alone; a secret without any goes nowhere. `port` is the one that is really connected to.
 */
export function maySendTo(secret: Secret, host: string, port: string): boolean {
  const bare = toBare(host).replace(/\.$/, '');
  return secret.hosts.some((entry) => {
    const [, name = '', entryPort] = /^(\[[^\]]*\]|[^:]*(?::[^:]*:.*)?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    if (entryPort !== undefined && entryPort !== port) return false;
    if (name.startsWith('*.')) return bare.length >= name.length && bare.endsWith(name.slice(1));
    return toBare(name) === bare;
  });
}

function toBare(host: string): string {
  return host.toLowerCase().replace(/^\[|\]$/g, '');
}

/** As `maySendTo`, for a secret that is used for a host without being sent: one that lists no host at all may be. */
export function mayUseFor(secret: Secret, host: string, port: string): boolean {
  return secret.hosts.length === 0 || maySendTo(secret, host, port);
}
