import {
  type Check,
  CheckFailed,
  type Connection,
  type ConnectionErrors,
  type ConnectorDefinition,
  createConnectorLog,
  defineConnector,
  runCheck,
  type Secret,
  type SecretRef,
} from '@vrsky/sdk/connector';
import type { HttpConnectorConfig } from './config.ts';
import { createEgress, createGuard, type Way } from './destination/egress.ts';
import { createHttpDestination } from './destination/http-destination.ts';
import { destinationProblems, toTarget } from './destination/target.ts';
import { testDestination } from './destination/test-destination.ts';
import { createTokenPost } from './destination/token-post.ts';
import { destinationSettingsSchema, sourceSettingsSchema } from './settings.ts';
import { type HttpSource, listenHttpSource } from './source/http-source.ts';
import { VERSION } from './version.ts';

const log = createConnectorLog('http');

/** Webhooks in, requests out, in the roles that the configuration says. */
export function createHttpConnector(config: HttpConnectorConfig): ConnectorDefinition {
  const guard = createGuard({ allow: config.egressAllow });
  const egress = (way: Way) => createEgress({ guard, way });
  const destination = createHttpDestination({ egress });
  const post = createTokenPost(egress);
  let source: HttpSource | null = null;
  let connectionIdByPath: ReadonlyMap<string, string> = new Map();

  const checkPath = (connectionId: string, path: string): Promise<Check> =>
    runCheck(`Look for /in/${path}`, () => {
      const owner = connectionIdByPath.get(path);
      if (owner === undefined) return 'The path is free; it is served once the pipeline is published.';
      if (owner === connectionId) return 'The path is served for this source.';
      throw new CheckFailed('Another source has this path: choose another one.');
    });

  return defineConnector({
    manifest: {
      name: 'http',
      version: VERSION,
      title: 'HTTP',
      description: 'Takes webhooks in under a URL of its own, and sends each message as one request to the URL of a receiver.',
    },

    validate: (connection) =>
      connection.role === 'destination' ? destinationProblems(connection.settings, (reference) => findSecret(connection, reference)) : [],

    test: (connection, deadline) =>
      connection.role === 'source'
        ? Promise.all([checkPath(connection.connectionId, connection.settings.path)])
        : testDestination({ connection, guard, post, deadline }),

    source: !config.roles.includes('source')
      ? undefined
      : {
          settings: sourceSettingsSchema,
          async receive(intake) {
            source = await listenHttpSource({ listen: config.listen, intake });
            log('info', 'listening', { host: config.listen.host, port: source.port });
          },
          configure(connections) {
            const routes = new Map<string, string>();
            const errors: ConnectionErrors[] = [];
            for (const { connectionId, settings } of connections) {
              if (routes.has(settings.path)) errors.push({ connectionId, errors: [{ path: '/path', message: 'Another source has this path.' }] });
              else routes.set(settings.path, connectionId);
            }
            connectionIdByPath = routes;
            source?.setRoutes(routes);
            return errors;
          },
          drain: () => source?.drain(),
        },

    destination: !config.roles.includes('destination')
      ? undefined
      : {
          settings: destinationSettingsSchema,
          configure(connections) {
            destination.setTargets(new Map(connections.map(({ connectionId, settings, secret }) => [connectionId, toTarget({ settings, secret, post })])));
          },
          send: destination.send,
        },
  });
}

/** null where the values are not there: settings are also checked before anybody entrusts their secrets to a connector. */
function findSecret(connection: Connection, reference: SecretRef): Secret | null {
  try {
    return connection.secret(reference);
  } catch {
    return null;
  }
}
