import { limits } from '@vrsky/contracts/limits';
import type { Use } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { createLogicPool } from '@vrsky/logic/pool';
import { type ControlLink, createControlLink } from './config/control-link.ts';
import { openLastGoodStore } from './config/last-good.ts';
import type { NodeConfig, NodeSecrets } from './config.ts';
import { createDelivery } from './delivery/delivery.ts';
import { createConnectionSet } from './deploy/connection-set.ts';
import { createDeployer, type TenantDeployer } from './deploy/deployer.ts';
import { openEnrolment } from './enrol/enrolment.ts';
import { openIdentity } from './enrol/identity.ts';
import { createOpsServer } from './http/ops-server.ts';
import { createIntake } from './ingest/intake.ts';
import { createMetrics } from './metrics.ts';
import { createNodeGauges } from './node-gauges.ts';
import { type ConnectorHost, createConnectorHost } from './plugins/connector-host.ts';
import { createRunService } from './run/run-service.ts';
import { openTenantBus } from './tenant-bus.ts';
import { createTracing } from './tracing.ts';
import { nodeVersion } from './version.ts';

export interface AppOptions {
  config: NodeConfig;
  secrets: NodeSecrets;
  isTracing: boolean;
  log: Log;
  stop: AbortSignal;
}

/**
 * The composition of a node: the only file that sees all parts. What is used first is drained last: intake stops, then delivery
 * finishes with the connector and the steps still there, and the operations server tells of it until the end.
 */
export async function buildApp(use: Use, { config, secrets, isTracing, log, stop }: AppOptions): Promise<void> {
  const startedAt = new Date().toISOString();
  const metrics = createMetrics();
  const tracing = createTracing(isTracing);
  const identity = await openIdentity(config.stateDir);

  let checks = (): Record<string, string | null> => ({ enrolment: 'not enrolled yet' });
  let updateGauges = (): void => {};
  await use(
    createOpsServer({
      ...config.ops,
      checks: () => ({ process: stop.aborted ? 'stopping' : null, ...checks() }),
      async metrics() {
        updateGauges();
        return { contentType: metrics.registry.contentType, text: await metrics.registry.metrics() };
      },
      log,
    }),
  );

  const enrolment = await openEnrolment(
    { stateDir: config.stateDir, consoleUrl: config.enrol.consoleUrl, joinToken: secrets.joinToken, name: config.name, identity, log },
    stop,
  );
  const { nodeId, pool } = enrolment;
  const url = config.bus.urlOverride ?? enrolment.natsUrl;

  const logic = await use(createLogicPool({ workers: config.logic.workers, log: (line) => log.warn({ part: 'logic' }, line) }));
  const startConnector = (role: 'source' | 'destination', env: Record<string, string>): ConnectorHost =>
    createConnectorHost({
      name: `http ${role}`,
      executable: config.connectorHttp,
      env: { ...env, VRSKY_HTTP_ROLES: role },
      credit: limits.sourceCreditMax,
      log,
    });
  const destination = startConnector('destination', { VRSKY_EGRESS_ALLOW: config.egressAllow.join(',') });
  const source = startConnector('source', { VRSKY_HTTP_LISTEN: `${config.ingest.host}:${config.ingest.port}` });
  const connectors = [source, destination];
  const intake = createIntake({ acks: source, metrics, tracing, log });
  source.onReceive(intake.receive);
  await use(destination);
  await use(source);

  const runs = await use(createRunService({ pool, trusted: enrolment.trustedKeys, steps: logic, log }));
  const delivery = createDelivery({ nodeId, steps: logic, sender: destination, metrics, tracing, log });
  const deployer = createDeployer({
    openBus: (tenantId, jwt) => openTenantBus({ url, tenantId, nodeId, seed: identity.user.seed, jwt, log }),
    connections: createConnectionSet({ source, destination }),
    intake,
    delivery,
    runs,
  });
  await use({ name: 'tenants', [Symbol.asyncDispose]: () => deployer[Symbol.asyncDispose]() });
  await use(delivery);
  await use(intake);

  const control = createControlLink({
    url,
    seed: identity.user.seed,
    sealPrivateKey: identity.seal.privateKey,
    enrolment,
    store: openLastGoodStore(config.stateDir, log),
    deployer,
    lease: () => ({
      nodeId,
      name: config.name,
      pool,
      version: nodeVersion,
      startedAt,
      ingestUrl: config.ingest.publicUrl,
      connectors: connectors.map((connector) => connector.state()),
    }),
    onRejected: (code) => metrics.rejectedBundles.inc({ code }),
    log,
  });
  const gauges = createNodeGauges(
    metrics,
    {
      connectors: () => connectors.map((connector) => ({ ...connector.state(), handshakeSeconds: connector.stats().handshakeMs / 1_000 })),
      queues: delivery.queues,
      tenants: deployer.tenants,
      config: control.tenants,
      control: () => ({ isUp: control.isUp(), contactAtMs: control.contactAtMs }),
      intakeWaiting: intake.waiting,
      logic: logic.stats,
    },
    log,
  );
  await use(gauges);
  updateGauges = gauges.update;
  checks = () => readiness(connectors, deployer, control);
  await use(control);
}

function readiness(connectors: ConnectorHost[], deployer: TenantDeployer, control: ControlLink): Record<string, string | null> {
  const absent = connectors.map((connector) => connector.state()).filter(({ state }) => state !== 'running');
  const away = deployer.tenants().filter(({ bus }) => !bus.isUp()).length;
  const isBusUp = deployer.tenants().length > 0 ? away === 0 : control.isUp();
  return {
    connector:
      absent.length === 0 ? null : absent.map(({ name, state, reason }) => `the connector ${name} is ${state}${reason ? `: ${reason}` : ''}`).join('; '),
    configuration: control.isLoaded() ? null : 'no configuration on disk, and the control plane was not reached yet',
    bus: isBusUp ? null : away > 0 ? `NATS is away for ${away} tenants` : 'NATS is away',
  };
}
