import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError, createEnvReader, type Env } from '@vrsky/kernel/config';
import { type SandboxLayer, sandboxLayers } from '@vrsky/plugin/sandbox/layers';
import { isLayer } from './plugins/confinement.ts';

export interface NodeConfig {
  name: string;
  stateDir: string;
  logLevel: string;
  /** How long a stop waits for work in hand. */
  drainMs: number;
  enrol: { consoleUrl: string };
  bus: { urlOverride: string | undefined };
  ingest: { host: string; port: number; publicUrl: string };
  ops: { host: string; port: number };
  egressAllow: string[];
  connectorHttp: string;
  /** Where connectors beside those that come with the node are put; null for none. */
  pluginDir: string | null;
  sandbox: {
    /** Path of bubblewrap; found on PATH when left out. */
    bwrap: string | undefined;
    path: string;
    /** Layers without which no connector runs on this node. */
    minimum: SandboxLayer[];
  };
  logic: { workers: number };
}

export interface NodeSecrets {
  joinToken: string | undefined;
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];
const repository = fileURLToPath(new URL('../../../', import.meta.url));

/** The only reader of the environment (telemetry.ts reads the standard `OTEL_*`). Throws ConfigError naming every problem. */
export function readConfig(env: Env): { config: NodeConfig; secrets: NodeSecrets } {
  const read = createEnvReader(env);
  const ingestHost = read.text('VRSKY_INGEST_HOST', '127.0.0.1');
  const ingestPort = read.integer('VRSKY_INGEST_PORT', { min: 1, max: 65_535, fallback: 4801 });
  const pluginDir = read.optional('VRSKY_PLUGIN_DIR');
  const config: NodeConfig = {
    name: read.text('VRSKY_NODE_NAME', 'node-1'),
    stateDir: path.resolve(read.text('VRSKY_STATE_DIR', path.join(repository, '.vrsky', 'node'))),
    logLevel: read.text('VRSKY_LOG_LEVEL', 'info'),
    drainMs: read.integer('VRSKY_DRAIN_MS', { min: 0, max: 600_000, fallback: 20_000 }),
    enrol: { consoleUrl: read.text('VRSKY_CONSOLE_URL', 'http://127.0.0.1:4800') },
    bus: { urlOverride: read.optional('VRSKY_NATS_URL') },
    ingest: { host: ingestHost, port: ingestPort, publicUrl: read.text('VRSKY_INGEST_PUBLIC_URL', `http://${ingestHost}:${ingestPort}`) },
    ops: { host: read.text('VRSKY_OPS_HOST', '127.0.0.1'), port: read.integer('VRSKY_OPS_PORT', { min: 0, max: 65_535, fallback: 4803 }) },
    egressAllow: read.list('VRSKY_EGRESS_ALLOW', []),
    connectorHttp: path.resolve(read.text('VRSKY_CONNECTOR_HTTP', path.join(repository, 'connectors/http/dist/http-connector'))),
    pluginDir: pluginDir === undefined ? null : path.resolve(pluginDir),
    sandbox: {
      bwrap: read.optional('VRSKY_BWRAP'),
      path: read.text('PATH', ''),
      minimum: read.list('VRSKY_SANDBOX_MINIMUM', []).filter(isLayer),
    },
    logic: { workers: read.integer('VRSKY_LOGIC_WORKERS', { min: 1, max: 64, fallback: 1 }) },
  };
  read.check();
  const problems: string[] = [];
  const unknown = read.list('VRSKY_SANDBOX_MINIMUM', []).filter((name) => !isLayer(name));
  if (unknown.length > 0) problems.push(`VRSKY_SANDBOX_MINIMUM is a list of ${sandboxLayers.join(', ')}; ${unknown.join(', ')} is none of them`);
  if (config.name.length > 80) problems.push('VRSKY_NODE_NAME has at most 80 characters');
  if (!URL.canParse(config.enrol.consoleUrl)) problems.push(`VRSKY_CONSOLE_URL must be a URL, not ${JSON.stringify(config.enrol.consoleUrl)}`);
  if (!URL.canParse(config.ingest.publicUrl)) problems.push(`VRSKY_INGEST_PUBLIC_URL must be a URL, not ${JSON.stringify(config.ingest.publicUrl)}`);
  if (!logLevels.includes(config.logLevel)) problems.push(`VRSKY_LOG_LEVEL must be one of ${logLevels.join(', ')}, not ${JSON.stringify(config.logLevel)}`);
  if (problems.length > 0) throw new ConfigError(problems);
  return { config, secrets: { joinToken: read.optional('VRSKY_JOIN_TOKEN') } };
}
