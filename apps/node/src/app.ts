import path from 'node:path';
import { limits } from '@vrsky/contracts/limits';
import { AppError } from '@vrsky/kernel/errors';
import type { Use } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { createLogicPool } from '@vrsky/logic/pool';
import { detectSandbox } from '@vrsky/plugin/sandbox/detect';
import { type ControlLink, createControlLink } from './config/control-link.ts';
import { openLastGoodStore } from './config/last-good.ts';
import type { NodeConfig, NodeSecrets } from './config.ts';
import { createDelivery } from './delivery/delivery.ts';
import { createConnectionSet, createTenantConnections } from './deploy/connection-set.ts';
import { createDeployer, type TenantDeployer } from './deploy/deployer.ts';
import { openEnrolment } from './enrol/enrolment.ts';
import { openIdentity } from './enrol/identity.ts';
import { createOpsServer } from './http/ops-server.ts';
import { createIntake } from './ingest/intake.ts';
import { createMetrics } from './metrics.ts';
import { createNodeGauges } from './node-gauges.ts';
import { createCallLedger, encodeCalls } from './plugins/call-ledger.ts';
import { createConfine, findDataDir } from './plugins/confinement.ts';
import { createConnectorCatalog } from './plugins/connector-catalog.ts';
import { createConnectorFleet } from './plugins/connector-fleet.ts';
import { type ConnectorHost, createConnectorHost } from './plugins/connector-host.ts';
import { describeRelease } from './plugins/connector-session.ts';
import { createCallMetrics, createProcessMetrics } from './plugins/process-metrics.ts';
import { openReleaseStore } from './plugins/release-store.ts';
import { createReplies } from './replies/replies.ts';
import { createConnectorRequests } from './requests/connector-requests.ts';
import { createRunService } from './requests/run-service.ts';
import { openTenantBus, type TenantBus } from './tenant-bus.ts';
import { createTracing } from './tracing.ts';
import { nodeVersion } from './version.ts';

/** It comes with the node and serves all tenants: the node's network, and room for their traffic. */
const httpManifest = { network: 'direct', memoryMiB: 2_048, processes: 256 } as const;

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

  let readyChecks = (): Record<string, string | null> => ({ enrolment: 'not enrolled yet' });
  let updateGauges = (): void => {};
  await use(
    createOpsServer({
      ...config.ops,
      checks: () => ({ process: stop.aborted ? 'stopping' : null, ...readyChecks() }),
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
  const sandbox = await detectSandbox({ path: config.sandbox.path, ...(config.sandbox.bwrap === undefined ? {} : { bwrap: config.sandbox.bwrap }) });
  for (const [layer, { available, detail }] of Object.entries(sandbox.layers)) log[available ? 'info' : 'warn']({ layer, available }, detail);
  const confine = createConfine(sandbox, config.sandbox.minimum);
  const releases = await openReleaseStore(path.join(config.stateDir, 'releases'));
  await use({ name: 'releases', [Symbol.asyncDispose]: () => releases[Symbol.asyncDispose]() });
  const http = await releases.admit(config.connectorHttp);
  let findTenantBus = (_tenantId: string): TenantBus | undefined => undefined;
  const ledger = await use(
    createCallLedger({
      nodeId,
      async publish(tenantId, record) {
        const { subject, headers, body } = encodeCalls(record);
        const bus = findTenantBus(tenantId);
        if (bus === undefined) throw new AppError({ code: 'BUS.UNAVAILABLE', kind: 'unavailable', message: `tenant ${tenantId} is not on this node now` });
        await bus.publish(subject, headers, body);
      },
      log,
      ...createCallMetrics(metrics),
    }),
  );
  const startConnector = (role: 'source' | 'destination', env: Record<string, string>, dataDir?: string): ConnectorHost => {
    const seat = ledger.seat({ connector: 'http', tenantId: null });
    return createConnectorHost({
      name: `http ${role}`,
      tenantId: null,
      release: http,
      env: { ...env, VRSKY_HTTP_ROLES: role, ...(dataDir === undefined ? {} : { VRSKY_DATA_DIR: dataDir }) },
      sandbox: confine({ manifest: httpManifest, minimum: [], ...(dataDir === undefined ? {} : { dataDir }) }),
      credit: limits.sourceCreditMax,
      openCalls: ({ digest }) => seat.open(digest),
      onEvent: seat.event,
      log,
    });
  };
  const destination = startConnector('destination', { VRSKY_EGRESS_ALLOW: config.egressAllow.join(',') });
  const dataDir = path.join(config.stateDir, 'connector-data');
  const source = startConnector(
    'source',
    {
      VRSKY_HTTP_LISTEN: `${config.ingest.host}:${config.ingest.port}`,
      // It fetches the keys of those who issue tokens.
      VRSKY_EGRESS_ALLOW: config.egressAllow.join(','),
    },
    await findDataDir(sandbox, path.join(dataDir, '_shared', 'http-source'), log),
  );
  const shared = { http: { source, destination } };
  const catalog = createConnectorCatalog({
    dir: config.pluginDir,
    store: releases,
    builtIn: Object.keys(shared),
    describe: (release, manifest) => describeRelease(release, { env: manifest.env, sandbox: confine({ manifest, minimum: [] }), log }),
    log,
  });
  const fleet = createConnectorFleet({
    catalog,
    shared,
    credit: limits.sourceCreditMax,
    dataDir,
    confine,
    openSeat: ledger.seat,
    onEvent: ({ tenantId, connector }, { kind, reason }) => log.info({ tenantId, connector, event: kind }, reason),
    log,
  });
  const replies = await use(createReplies({ nodeId, deliver: fleet.reply, metrics, log }));
  const intake = createIntake({ acks: fleet, replies, metrics, tracing, log });
  fleet.onReceive(intake.receive);
  await use(catalog);
  await use(fleet);
  await use(destination);
  await use(source);
  for (const host of [destination, source]) if (host.description !== null) catalog.addBuiltIn(host.description, http.digest);

  const runs = await use(createRunService({ pool, trusted: enrolment.trustedKeys, steps: logic, log }));
  const checks = await use(
    createConnectorRequests({
      pool,
      nodeId,
      nodeName: config.name,
      sealPrivateKey: identity.seal.privateKey,
      trusted: enrolment.trustedKeys,
      connectors: fleet,
      log,
    }),
  );
  const delivery = createDelivery({ nodeId, steps: logic, sender: fleet, replies, metrics, tracing, log });
  const deployer = createDeployer({
    openBus: (tenantId, jwt) => openTenantBus({ url, tenantId, nodeId, seed: identity.user.seed, jwt, log }),
    connections: createTenantConnections({
      confine,
      isShared: (connector) => Object.hasOwn(shared, connector),
      shared: createConnectionSet({ source, destination }),
      own: fleet,
    }),
    intake,
    delivery,
    listeners: [runs, checks, replies],
  });
  findTenantBus = (tenantId) => deployer.tenants().find((tenant) => tenant.tenantId === tenantId)?.bus;
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
      connectors: fleet.states().slice(0, limits.connectorRowsMax),
      sandbox: { layers: sandbox.layers },
    }),
    offers: catalog.offers,
    onRejected: (code) => metrics.rejectedBundles.inc({ code }),
    log,
  });
  catalog.onChange(control.offersChanged);
  const gauges = createNodeGauges(
    metrics,
    {
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
  const processes = await use(
    createProcessMetrics(metrics, { processes: fleet.processes, sandbox: () => ({ layers: sandbox.layers }), ledger: ledger.stats }, log),
  );
  updateGauges = () => {
    ledger.settle();
    gauges.update();
    processes.update();
  };
  readyChecks = () => readiness([source, destination], deployer, control);
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
