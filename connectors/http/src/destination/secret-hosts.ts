import type { Secret } from '@vrsky/sdk/connector';

/**
 * Whether a secret's value may be sent to a host. Its entries are names, names with a port, or `*.example.com` for the names below one; a secret
 * without any goes nowhere. `port` is the one that is really connected to.
 */
export function maySendTo(secret: Secret, host: string, port: string): boolean {
  const bare = host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
  return secret.hosts.some((entry) => {
    const wanted = entry.toLowerCase();
    if (wanted.startsWith('*.')) return bare.length > wanted.length - 1 && bare.endsWith(wanted.slice(1));
    const plain = wanted.replace(/^\[|\]$/g, '');
    return plain === bare || wanted === `${bare}:${port}` || wanted === `[${bare}]:${port}`;
  });
}

/** As `maySendTo`, for a secret that is used for a host without being sent: one that lists no host at all may be. */
export function mayUseFor(secret: Secret, host: string, port: string): boolean {
  return secret.hosts.length === 0 || maySendTo(secret, host, port);
}
