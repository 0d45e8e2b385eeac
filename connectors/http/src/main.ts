import { type Connection, type ConnectionErrors, createConnectorLog, type FieldError, serveConnector } from '@vrsky/sdk/connector';
import { readConfig } from './config.ts';
import { createEgress } from './destination/egress.ts';
import { createHttpDestination } from './destination/http-destination.ts';
import { type Target, toTarget } from './destination/request.ts';
import { checkSettings, destinationSettingsSchema, settingsSchemas, sourceSettingsSchema } from './settings.ts';
import { type HttpSource, listenHttpSource } from './source/http-source.ts';
import { VERSION } from './version.ts';

const CONNECT_TIMEOUT_MS = 10_000;

const log = createConnectorLog('http');
const config = readConfig(process.env);
const destination = createHttpDestination({ connect: createEgress({ allow: config.egressAllow, connectTimeoutMs: CONNECT_TIMEOUT_MS }) });
let source: HttpSource | null = null;

await serveConnector({
  name: 'http',
  version: VERSION,
  roles: config.roles,
  settingsSchemas,

  validate(connection) {
    const checked =
      connection.role === 'source' ? checkSettings(sourceSettingsSchema, connection.settings) : checkSettings(destinationSettingsSchema, connection.settings);
    return 'errors' in checked ? checked.errors : [];
  },

  configure(connections) {
    const { routes, targets, errors } = readConnections(connections);
    source?.setRoutes(routes);
    destination.setTargets(targets);
    return errors;
  },

  async receive(intake) {
    source = await listenHttpSource({ listen: config.listen, intake });
    log('info', 'listening', { host: config.listen.host, port: source.port });
  },

  send: destination.send,

  async drain() {
    await source?.drain();
  },
});

/** Each connection that is right is used, whatever is wrong with the others. */
function readConnections(connections: readonly Connection[]): { routes: Map<string, string>; targets: Map<string, Target>; errors: ConnectionErrors[] } {
  const routes = new Map<string, string>();
  const targets = new Map<string, Target>();
  const errors: ConnectionErrors[] = [];
  const refuse = (connectionId: string, found: FieldError[]): void => void errors.push({ connectionId, errors: found });
  for (const { connectionId, role, settings } of connections) {
    if (role === 'source') {
      const checked = checkSettings(sourceSettingsSchema, settings);
      if ('errors' in checked) refuse(connectionId, checked.errors);
      else if (routes.has(checked.value.path)) refuse(connectionId, [{ path: '/path', message: 'Another source has this path.' }]);
      else routes.set(checked.value.path, connectionId);
    } else {
      const checked = checkSettings(destinationSettingsSchema, settings);
      if ('errors' in checked) refuse(connectionId, checked.errors);
      else targets.set(connectionId, toTarget(checked.value));
    }
  }
  return { routes, targets, errors };
}
