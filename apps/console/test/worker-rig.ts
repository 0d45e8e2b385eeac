import { randomBytes } from 'node:crypto';
import { createConfigBucket } from '@vrsky/bus/config-bucket';
import { connectBus } from '@vrsky/bus/connect';
import { createUserKey } from '@vrsky/bus/platform-keys';
import { createStreamPublisher } from '@vrsky/bus/publisher';
import { createStatusBucket } from '@vrsky/bus/status-bucket';
import { type Bundle, bundleSchema, type Fence, type Grant, grantSchema, grantSealContext, type Head, headSchema } from '@vrsky/contracts/bundle';
import type { ConnectorCalls } from '@vrsky/contracts/connector-calls';
import { type ConnectorRequest, type ConnectorResponse, connectorRequestSchema } from '@vrsky/contracts/connector-request';
import type { EnrolmentResponse } from '@vrsky/contracts/enrolment';
import { packHeaders } from '@vrsky/contracts/message-headers';
import type { ConnectorOffer, Lease, Offers, Report } from '@vrsky/contracts/node-status';
import { generateSealKey, unseal } from '@vrsky/contracts/seal';
import { documentPlace, type SecretPlace, type SecretsDocument, secretsDocumentSchema, unsealSecret } from '@vrsky/contracts/sealed-secrets';
import { openEnvelope, type SignedPurpose } from '@vrsky/contracts/signed';
import { configKeys, inboxPrefix, statusKeys, subjects } from '@vrsky/contracts/subjects';
import type { TrailRecord } from '@vrsky/contracts/trail';
import type { Db } from '@vrsky/db/client';
import { runUntil } from '@vrsky/kernel/lifecycle';
import { createLog } from '@vrsky/kernel/log';
import { eventually } from '@vrsky/testkit/eventually';
import { enrolNode } from '../src/features/nodes/server/enrol-node.ts';
import { createJoinToken } from '../src/features/nodes/server/join-token.ts';
import { getConsoleConfig } from '../src/server/config.ts';
import type { Platform } from '../src/server/platform.ts';
import { buildWorker } from '../src/worker/app.ts';
import type { Rig } from './rig.ts';

/** A whole worker in this process. */
export interface TestWorker extends AsyncDisposable {
  url: string;
  /** A gauge or counter as Prometheus would read it; without labels, or with all of them as written there. */
  metric(name: string): Promise<number>;
}

export async function startWorker(rig: Rig): Promise<TestWorker> {
  const stop = new AbortController();
  const ready = Promise.withResolvers<number>();
  const { config, secrets } = getConsoleConfig();
  const log = createLog('test worker', process.env.VRSKY_TEST_LOG ?? 'silent');
  const done = runUntil(
    stop.signal,
    async (use) =>
      ready.resolve(
        (
          await buildWorker(use, {
            config: { ...config, host: '127.0.0.1', port: 0, logLevel: 'silent' },
            secrets: { ...secrets, databaseUrl: rig.platformDb.url },
            log,
            retireIdleMs: 1_500,
            overlapsEveryMs: 200,
          })
        ).port,
      ),
    { drainMs: 5_000, log: (line) => log.debug(line) },
  );
  done.catch(ready.reject);
  const url = `http://127.0.0.1:${await ready.promise}`;
  await eventually(async () => (await fetch(`${url}/ready`)).ok, { what: 'the worker to lead' });
  return {
    url,
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`)).text();
      const line = text.split('\n').find((item) => item.startsWith(`${name} `));
      return Number(line?.slice(name.length + 1) ?? Number.NaN);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}

/** What a connection node does on the control side, without running anything: enrols, reads its configuration, reports. */
export interface TestNode extends AsyncDisposable {
  enrolment: EnrolmentResponse;
  bundle(tenantId: string): Promise<Bundle | null>;
  head(): Promise<Head | null>;
  grant(tenantId: string): Promise<Grant | null>;
  proofKey(grant: Grant): Buffer;
  secrets(tenantId: string): Promise<SecretsDocument | null>;
  /** The values of a document as this node, or any that its key is of, can open them: by name, the newest first. */
  openSecrets(document: Pick<SecretsDocument, 'secrets'>, place?: Partial<SecretPlace>): Record<string, string[]>;
  lease(extra?: Partial<Lease>): Promise<void>;
  report(tenantId: string, report: Partial<Report>): Promise<void>;
  offers(connectors: ConnectorOffer[], problems?: Offers['problems']): Promise<void>;
  /** Writes any text under a key that the node may write. */
  putStatus(key: string, text: string): Promise<unknown>;
  /** Answers the console's questions about connectors in a tenant's account, with the rights of its grant. */
  answerConnectors(tenantId: string, answer: (request: ConnectorRequest) => ConnectorResponse): Promise<AsyncDisposable>;
  /** Says that it runs what the bundle wants. */
  apply(tenantId: string, bundle: Bundle): Promise<void>;
  /** Writes into the tenant's trail with the rights of its grant; resolves with the sequence. */
  writeTrail(tenantId: string, record: TrailRecord): Promise<number>;
  /** The same for what its connectors were asked; as another node when it is named. */
  writeCalls(tenantId: string, record: ConnectorCalls, asNodeId?: string): Promise<number>;
}

export async function enrolTestNode(platformDb: Db, consoleDb: Db, platform: Platform, name = 'node-1'): Promise<TestNode> {
  const { token } = await createJoinToken(platformDb, { pool: 'shared' });
  const identity = createUserKey();
  const sealKey = generateSealKey();
  const enrolment = await enrolNode(
    { db: consoleDb, platform },
    { token, name, version: '0.1.0', identityKey: identity.publicKey, sealKey: sealKey.publicKey },
  );
  const { nodeId, pool, natsUrl, trustedKeys } = enrolment;
  const connect = (jwt: string) => connectBus({ url: natsUrl, name: nodeId, inbox: inboxPrefix(nodeId), credentials: () => ({ jwt, seed: identity.seed }) });
  const control = await connect(enrolment.controlJwt);
  const config = createConfigBucket(control);
  const status = createStatusBucket(control);
  const tenants = new Map<string, Awaited<ReturnType<typeof connect>>>();
  const startedAt = new Date().toISOString();

  const read = async <T>(purpose: SignedPurpose, key: string, schema: { parse(value: unknown): T }): Promise<T | null> => {
    const entry = await config.get(key);
    return entry && schema.parse(JSON.parse(openEnvelope(purpose, entry.value, trustedKeys)));
  };
  const inAccount = async (tenantId: string) => {
    const open = tenants.get(tenantId);
    if (open) return open;
    const grant = await eventually(async () => (await node.grant(tenantId)) ?? false, { what: 'the grant' });
    const nc = await connect(grant.natsJwt);
    tenants.set(tenantId, nc);
    return nc;
  };
  const store = async (tenantId: string, subject: string, messages: number, record: unknown): Promise<number> => {
    const publisher = createStreamPublisher(await inAccount(tenantId), { timeoutMs: 5_000 });
    try {
      const headers = { [packHeaders.msgId]: randomBytes(8).toString('hex'), [packHeaders.pack]: String(messages) };
      return (await publisher.publish(subject, headers, Buffer.from(JSON.stringify(record)))).seq;
    } finally {
      publisher.close();
    }
  };
  const node: TestNode = {
    enrolment,
    bundle: (tenantId) => read('bundle', configKeys.bundle(pool, tenantId), bundleSchema),
    head: () => read('head', configKeys.head(pool), headSchema),
    grant: (tenantId) => read('grant', configKeys.grant(nodeId, tenantId), grantSchema),
    proofKey: (grant) => unseal(sealKey.privateKey, grantSealContext(nodeId, grant.tenantId), grant.sealedProofKey),
    secrets: (tenantId) => read('secrets', configKeys.secrets(nodeId, tenantId), secretsDocumentSchema),
    openSecrets({ secrets, ...document }, place = {}) {
      const { tenantId = '', epoch = 0, generation = 0 } = document as Partial<SecretsDocument>;
      const at: SecretPlace = { nodeId, tenantId, within: documentPlace({ epoch, generation }), ...place };
      const open = ({ id, name, versions }: SecretsDocument['secrets'][number]) =>
        versions.map(({ version, ...sealed }) => unsealSecret(sealKey.privateKey, at, { id, name, version }, sealed).toString('utf8'));
      return Object.fromEntries(secrets.map((secret) => [secret.name, open(secret)]));
    },
    async lease(extra = {}) {
      const lease: Lease = {
        v: 1,
        nodeId,
        name,
        pool,
        version: '0.1.0',
        startedAt,
        at: new Date().toISOString(),
        ingestUrl: 'http://127.0.0.1:4801',
        stopping: false,
        connectors: [],
        sandbox: { layers: {} },
        ...extra,
      };
      await status.put(statusKeys.lease(nodeId), JSON.stringify(lease));
    },
    async report(tenantId, extra) {
      const report: Report = { v: 1, nodeId, tenantId, at: new Date().toISOString(), received: null, applied: null, rejected: null, pipelines: [], ...extra };
      await status.put(statusKeys.report(nodeId, tenantId), JSON.stringify(report));
    },
    putStatus: (key, text) => status.put(key, text),
    async offers(connectors, problems = []) {
      const offers: Offers = { v: 1, nodeId, at: new Date().toISOString(), connectors, problems };
      await status.put(statusKeys.offers(nodeId), JSON.stringify(offers));
    },
    async answerConnectors(tenantId, answer) {
      const nc = await inAccount(tenantId);
      const subscription = nc.subscribe(subjects.connector(pool), {
        queue: 'connector',
        callback: (_error, message) => {
          // As a node does: what is not signed for this purpose is not even read.
          const request = connectorRequestSchema.parse(JSON.parse(openEnvelope('connector', message.string(), trustedKeys)));
          if (request.tenantId !== tenantId || request.pool !== pool) throw new Error(`a request for ${request.tenantId} in ${request.pool}`);
          message.respond(JSON.stringify(answer(request)));
        },
      });
      await nc.flush();
      return {
        [Symbol.asyncDispose]: async () => {
          subscription.unsubscribe();
          await nc.flush();
        },
      };
    },
    async apply(tenantId, bundle) {
      const fence: Fence = { epoch: bundle.epoch, generation: bundle.generation };
      await node.report(tenantId, {
        received: fence,
        applied: fence,
        pipelines: bundle.pipelines.map((item) => ({ pipelineId: item.pipelineId, revision: item.revision, state: 'running' as const })),
      });
    },
    writeTrail: (tenantId, record) => store(tenantId, subjects.trail(record.pipelineId), record.messages.length, record),
    writeCalls: (tenantId, record, asNodeId = nodeId) => store(tenantId, subjects.calls(asNodeId), 1, record),
    async [Symbol.asyncDispose]() {
      for (const nc of tenants.values()) await nc.close();
      await control.close();
    },
  };
  return node;
}
