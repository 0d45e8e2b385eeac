export type Role = 'source' | 'destination';

export interface HttpConnectorConfig {
  /** What this process does. A node gives each role a process of its own, so that slow receivers never hold up intake. */
  roles: readonly Role[];
  listen: { host: string; port: number };
  /** Exact `host:port` pairs that may be reached although they are private. */
  egressAllow: ReadonlySet<string>;
  /** Where files outlive the process; null: nowhere. */
  dataDir: string | null;
}

/** The connector's own settings come from whoever runs the node: they are no secrets and no customer's choice. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): HttpConnectorConfig {
  const problems: string[] = [];
  const rolesText = env.VRSKY_HTTP_ROLES || 'source,destination';
  const roles = rolesText.split(',').filter((role): role is Role => role === 'source' || role === 'destination');
  if (roles.join(',') !== rolesText) problems.push(`VRSKY_HTTP_ROLES must be source, destination or both with a comma, not ${JSON.stringify(rolesText)}`);
  const listenText = env.VRSKY_HTTP_LISTEN || '127.0.0.1:4801';
  const listen = findHostPort(listenText);
  if (listen === null) problems.push(`VRSKY_HTTP_LISTEN must be host:port, not ${JSON.stringify(listenText)}`);
  const egressAllow = new Set<string>();
  for (const item of (env.VRSKY_EGRESS_ALLOW ?? '')
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '')) {
    const pair = findHostPort(item);
    if (pair === null || pair.port === 0) problems.push(`VRSKY_EGRESS_ALLOW must be a list of host:port, ${JSON.stringify(item)} is not`);
    else egressAllow.add(`${pair.host}:${pair.port}`);
  }
  if (listen === null || problems.length > 0) throw new Error(`The configuration is not usable:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  return { roles, listen, egressAllow, dataDir: env.VRSKY_DATA_DIR || null };
}

/** `name:port`, `1.2.3.4:port` or `[::1]:port`; the host in lower case and without its brackets, as it is compared later. */
function findHostPort(text: string): { host: string; port: number } | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+)):(\d{1,5})$/.exec(text.toLowerCase());
  const port = Number(match?.[3]);
  return match === null || port > 65_535 ? null : { host: match[1] ?? (match[2] as string), port };
}
