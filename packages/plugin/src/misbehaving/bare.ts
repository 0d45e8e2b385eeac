import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { GRPCController, EmptySchema as PluginEmptySchema } from '@vrsky/proto/gen/goplugin/grpc_controller_pb';
import { Health, HealthCheckResponseSchema, HealthCheckResponse_ServingStatus as ServingStatus } from '@vrsky/proto/gen/goplugin/health_pb';
import { Connector, DescribeResponseSchema } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { createIdentity } from '../certificate.ts';
import { connectorCookie, pluginEnv } from '../handshake.ts';
import { generatedMethod } from '../rpc.ts';

interface BareOptions {
  network: 'unix' | 'tcp';
  /** How often health is good before it is not. */
  healthyChecks: number;
  hasController: boolean;
}

/** Plugins that have less of go-plugin's protocol than ours, as older ones have, by name. Of the connector's they have Describe, and no role. */
export const bare: Record<string, () => Promise<void>> = {
  'listens-on-tcp': () => serveBare({ network: 'tcp', healthyChecks: Number.POSITIVE_INFINITY, hasController: true }),
  'has-no-controller-and-no-stdio': () => serveBare({ network: 'unix', healthyChecks: Number.POSITIVE_INFINITY, hasController: false }),
  'is-unhealthy-from-the-start': () => serveBare({ network: 'unix', healthyChecks: 0, hasController: true }),
  'becomes-unhealthy': () => serveBare({ network: 'unix', healthyChecks: 1, hasController: true }),
};

async function serveBare(options: BareOptions): Promise<void> {
  if (process.env[connectorCookie.key] !== connectorCookie.value) throw new Error('started by hand');
  const identity = createIdentity();
  const server = new Server();
  let checks = 0;
  server.addService(
    { check: generatedMethod(Health.method.check) },
    {
      check(_: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>) {
        const status = checks++ < options.healthyChecks ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
        answer(null, create(HealthCheckResponseSchema, { status }));
      },
    },
  );
  if (options.hasController)
    server.addService(
      { shutdown: generatedMethod(GRPCController.method.shutdown) },
      {
        shutdown(_: unknown, answer: sendUnaryData<unknown>) {
          answer(null, create(PluginEmptySchema));
          setImmediate(() => process.exit(0));
        },
      },
    );
  server.addService(
    { describe: generatedMethod(Connector.method.describe) },
    { describe: (_: unknown, answer: sendUnaryData<unknown>) => answer(null, create(DescribeResponseSchema, { name: 'bare', version: '1.0.0' })) },
  );
  const socket = join(process.env[pluginEnv.socketDir] || tmpdir(), 'bare');
  const credentials = ServerCredentials.createSsl(
    Buffer.from(process.env[pluginEnv.clientCert] ?? ''),
    [{ private_key: Buffer.from(identity.keyPem), cert_chain: Buffer.from(identity.certPem) }],
    true,
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(options.network === 'tcp' ? '127.0.0.1:0' : `unix:${socket}`, credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  const address = options.network === 'tcp' ? `127.0.0.1:${port}` : socket;
  process.stdout.write(`1|1|${options.network}|${address}|grpc|${identity.certDer.toString('base64').replace(/=+$/, '')}\n`);
}
