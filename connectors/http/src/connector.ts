import {
  type Check,
  CheckFailed,
  type Connection,
  type ConnectorDefinition,
  createConnectorLog,
  defineConnector,
  type FieldError,
  runCheck,
  type Secret,
  type SecretRef,
} from '@vrsky/sdk/connector';
import { Agent } from 'undici';
import type { HttpConnectorConfig } from './config.ts';
import { createEgress, createGuard, endpointOf, type Way } from './destination/egress.ts';
import { createHttpDestination } from './destination/http-destination.ts';
import { destinationSettingsSchema } from './destination/settings.ts';
import { destinationProblems, toTarget, usualWay } from './destination/target.ts';
import { testDestination } from './destination/test-destination.ts';
import { createTokenPost } from './destination/token-post.ts';
import { secretProblems } from './source/auth/create-authenticator.ts';
import { countKeys, type KeyFetching } from './source/auth/json-web-token.ts';
import { type HttpSource, listenHttpSource } from './source/http-source.ts';
import { createRefusals } from './source/refusals.ts';
import { createRouteTable, type Route } from './source/route.ts';
import { createSeenBook } from './source/seen-ids.ts';
import { type SourceSettings, sourceSettingsSchema } from './source/settings.ts';
import { VERSION } from './version.ts';

const log = createConnectorLog('http');

/** Webhooks in, requests out, in the roles that the configuration says. */
export function createHttpConnector(config: HttpConnectorConfig): ConnectorDefinition {
  const guard = createGuard({ allow: config.egressAllow });
  const egress = (way: Way) => createEgress({ guard, way });
  const destination = createHttpDestination({ egress });
  const post = createTokenPost(egress);
  const keyFetching: KeyFetching = {
    dispatcher: new Agent({ connect: egress(usualWay) }),
    onFailed: (url, reason) => log('warn', 'the keys of an issuer cannot be fetched', { url, reason }),
  };
  const refusals = createRefusals(log);
  const book = createSeenBook({ dir: config.dataDir, log, onUnwritten: refusals.unwritten });
  const table = createRouteTable(keyFetching, book);
  /** Not before the first connections: until then the folder may be the one of the process before. */
  let loaded: Promise<void> | null = null;
  let source: HttpSource | null = null;
  let routes: ReadonlyMap<string, Route> = new Map();

  const checkPath = (connectionId: string, path: string): Promise<Check> =>
    runCheck(`Look for /in/${path}`, () => {
      const owner = routes.get(path)?.connectionId;
      if (owner === undefined) return 'The path is free; it is served once the pipeline is published.';
      if (owner === connectionId) return 'The path is served for this source.';
      throw new CheckFailed('Another source has this path: choose another one.');
    });

  const checkKeys = (url: string): Promise<Check> =>
    runCheck('Fetch the keys of the issuer', async () => {
      const keys = await countKeys(url, keyFetching).catch((error: unknown) => {
        throw new CheckFailed(
          `The keys cannot be fetched: ${error instanceof Error ? error.message : String(error)}. Check the URL, and that it may be reached.`,
        );
      });
      return `The issuer has ${keys === 1 ? 'one key' : `${keys} keys`} there.`;
    });
  const checkSecret = ({ settings: { auth }, secret }: Connection<SourceSettings>): Promise<Check> =>
    runCheck('Read the secret', () => {
      const problems = secretProblems(auth, secret, keyFetching);
      if (problems.length > 0) throw new CheckFailed(problems.join(' '));
      return 'Every version of it that is valid can be used.';
    });
  const checkSource = (connection: Connection<SourceSettings>): Promise<Check[]> => {
    const { auth, path } = connection.settings;
    return Promise.all([
      checkPath(connection.connectionId, path),
      ...('secret' in auth ? [checkSecret(connection)] : []),
      ...(auth.scheme === 'jwt' ? [checkKeys(auth.jwksUrl)] : []),
    ]);
  };

  /** Who can change keys on their way can send whatever it likes. The operator's own network is the operator's to judge. */
  const keysProblems = ({ auth }: SourceSettings): FieldError[] => {
    if (auth.scheme !== 'jwt') return [];
    const url = new URL(auth.jwksUrl);
    const { host, port } = endpointOf(url);
    if (url.protocol === 'https:' || config.egressAllow.has(`${host}:${port}`)) return [];
    return [{ path: '/auth/jwksUrl', message: 'Enter an https URL: keys that come over plain http could be anybody’s.' }];
  };

  const validateSource = ({ settings, replyWithinMs }: Connection<SourceSettings>): FieldError[] => [
    ...keysProblems(settings),
    ...(replyWithinMs > 0 && settings.split !== 'no'
      ? [{ path: '/split', message: 'A sender gets the pipeline’s result as its answer, and several messages have several. Take a body as one message.' }]
      : []),
  ];

  return defineConnector({
    manifest: {
      name: 'http',
      version: VERSION,
      title: 'HTTP',
      description: 'Takes webhooks in under a URL of its own, and sends each message as one request to the URL of a receiver.',
    },

    validate: (connection) =>
      connection.role === 'source' ? validateSource(connection) : destinationProblems(connection.settings, (reference) => findSecret(connection, reference)),

    test: (connection, deadline) => (connection.role === 'source' ? checkSource(connection) : testDestination({ connection, guard, post, deadline })),

    source: !config.roles.includes('source')
      ? undefined
      : {
          settings: sourceSettingsSchema,
          replies: true,
          async receive(intake) {
            source = await listenHttpSource({ listen: config.listen, intake, onRefused: refusals.count });
            log('info', 'listening', { host: config.listen.host, port: source.port });
          },
          async configure(connections) {
            loaded ??= book.load();
            await loaded;
            const built = table.build(connections);
            routes = built.routes;
            source?.setRoutes(built.routes);
            return built.errors;
          },
          async drain() {
            await source?.drain();
            refusals.report();
          },
        },

    destination: !config.roles.includes('destination')
      ? undefined
      : {
          settings: destinationSettingsSchema,
          configure(connections) {
            destination.setTargets(
              new Map(
                connections.map(({ connectionId, settings, answerBytesMax, answerOptional, secret }) => [
                  connectionId,
                  toTarget({ settings, answerBytesMax, answerOptional, secret, post }),
                ]),
              ),
            );
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
