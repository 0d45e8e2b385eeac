import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { type BusAdmin, createBusAdmin, issueControlJwt, issueTenantJwt } from '@vrsky/bus/admin';
import { createConfigBucket } from '@vrsky/bus/config-bucket';
import { consumePacks } from '@vrsky/bus/consumer';
import { createAccountSeed, createPlatformKeys, type PlatformKeys } from '@vrsky/bus/platform-keys';
import { natsServerConfig } from '@vrsky/bus/server-config';
import { createStatusBucket } from '@vrsky/bus/status-bucket';
import { getStored, type StoredMessage } from '@vrsky/bus/stored';
import type { TenantStorage } from '@vrsky/bus/stream-configs';
import { type Bundle, type BundlePipeline, type Fence, type Grant, grantSealContext, type Head } from '@vrsky/contracts/bundle';
import { canonicalJson, contentHash } from '@vrsky/contracts/canonical-json';
import { type ConnectorCalls, connectorCallsSchema } from '@vrsky/contracts/connector-calls';
import { type ConnectorRequest, type ConnectorResponse, connectorResponseSchema } from '@vrsky/contracts/connector-request';
import { type EnrolmentRequest, type EnrolmentResponse, enrolmentRequestSchema } from '@vrsky/contracts/enrolment';
import { newId, newInletPath } from '@vrsky/contracts/ids';
import { type Lease, type Offers, offersSchema, type Report, reportSchema } from '@vrsky/contracts/node-status';
import { type HttpSourceSettings, isHttp, type PipelineSpec, pipelineSpecSchema } from '@vrsky/contracts/pipeline-spec';
import type { RunRequest, RunResponse } from '@vrsky/contracts/run';
import { seal } from '@vrsky/contracts/seal';
import { documentPlace, requestPlace, type SealedSecretRecord, type SecretsDocument, sealSecret, secretSetHash } from '@vrsky/contracts/sealed-secrets';
import { generateSigningKey, type SignedPurpose, signEnvelope, signingKeyFromSeed } from '@vrsky/contracts/signed';
import { configKeys, consumerNames, statusKeys, streamNames, subjects } from '@vrsky/contracts/subjects';
import { type TrailMessage, type TrailRecord, trailRecordSchema } from '@vrsky/contracts/trail';
import { compileStep } from '@vrsky/logic/compile';
import { eventually } from '@vrsky/testkit/eventually';
import { type NatsServer, startNats } from '@vrsky/testkit/nats';

const pool = 'shared';
const keyId = 'bundle-1';

export interface StepInput {
  id: string;
  kind: 'convert' | 'filter';
  source: string;
  /** The destination whose answer it takes. */
  after?: string;
}

export interface PipelineInput {
  /** Settings of the HTTP source, beside its path. */
  from?: Record<string, HttpSourceSettings[string]>;
  /** Destinations by id; each gets the result, or with `after` what comes of that destination's answer. */
  to: Record<string, { url: string; headers?: { name: string; value: string }[]; timeoutMs?: number; after?: string }>;
  /** Destinations of other connectors, by id. */
  through?: Record<string, { connector: string; release?: string; settings: Record<string, string | number | boolean | { $secret: string }> }>;
  steps?: StepInput[];
  retry?: { attempts: number; initialMs: number; maxMs: number };
  /** Destinations that get their messages in strict order. */
  strict?: string[];
  /** What its senders wait for. */
  reply?: { from: string; withinMs?: number };
}

export interface TestPipeline {
  readonly pipelineId: string;
  /** Below the ingest URL. */
  readonly path: string;
  readonly spec: PipelineSpec;
  readonly revision: number;
  readonly bundlePipeline: BundlePipeline;
}

/** By name, where it may be sent to and its valid values, the newest first with the highest number. */
export type TestSecrets = Record<string, { hosts?: string[]; values: [version: number, value: string][] }>;

export interface TestTenant {
  readonly tenantId: string;
  readonly accountSeed: string;
  readonly proofKey: Buffer;
  readonly trail: TrailRecord[];
  readonly calls: ConnectorCalls[];
}

/** What a console does for nodes, by hand: accounts, enrolment, signed documents. It writes whatever a test wants, right or wrong. */
export interface ControlPlane {
  readonly nats: NatsServer;
  readonly keys: PlatformKeys;
  readonly admin: BusAdmin;
  /** Where nodes enrol. */
  readonly url: string;
  readonly joinToken: string;
  readonly enrolled: { nodeId: string; request: EnrolmentRequest }[];
  addTenant(storage?: TenantStorage): Promise<TestTenant>;
  /** A pipeline with its consumers, not yet published. With `of`, its next revision. */
  pipeline(tenant: TestTenant, input: PipelineInput, of?: TestPipeline): Promise<TestPipeline>;
  /** Signs and writes bundle, grants and head, and gives back the fence. */
  publish(tenant: TestTenant, pipelines: TestPipeline[], policy?: Bundle['policy'], secrets?: TestSecrets): Promise<Fence>;
  /** What is sealed to each node for a request, as the console does it for a draft. */
  sealedForRequest(tenant: TestTenant, secrets: TestSecrets, issuedAtMs: number): ConnectorRequest['secrets'];
  /** A new head that leaves this tenant out. */
  leaveOut(tenant: TestTenant): Promise<void>;
  /** The text of a signed bundle, for tests that write it elsewhere. */
  signedBundle(bundle: Partial<Bundle> & { tenantId: string; pipelines: BundlePipeline[] }): string;
  putConfig(key: string, value: string): Promise<void>;
  deleteConfig(key: string): Promise<void>;
  getConfig(key: string): Promise<string>;
  bundleKey(tenant: TestTenant): string;
  report(nodeId: string, tenantId: string): Promise<Report | null>;
  lease(nodeId: string): Promise<Lease | null>;
  offers(nodeId: string): Promise<Offers | null>;
  /** Asks a node what a connector makes of settings. */
  check(tenant: TestTenant, request: Partial<ConnectorRequest> & Pick<ConnectorRequest, 'connector'>): Promise<ConnectorResponse>;
  waitForReport(tenant: TestTenant, matches: (report: Report) => boolean, timeoutMs?: number): Promise<Report>;
  /** The newest record of a message, once it has ended (or is in the wanted state) at every destination. */
  waitForOutcome(tenant: TestTenant, messageId: string, matches?: (message: TrailMessage) => boolean, timeoutMs?: number): Promise<TrailMessage>;
  dlq(tenant: TestTenant, seq: number): Promise<StoredMessage | null>;
  run(tenant: TestTenant, request: Omit<RunRequest, 'v' | 'tenantId' | 'pool' | 'issuedAtMs'>): Promise<RunResponse>;
  /** The enrolment server and our own connections; NATS goes on. */
  down(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startControlPlane(): Promise<ControlPlane> {
  const keys = createPlatformKeys();
  const nats = await startNats({ config: (port, dir) => natsServerConfig({ keys, port, dir }) });
  const admin = createBusAdmin({ url: nats.url, keys, name: 'test control plane' });
  await admin.ensureControl();
  const signing = generateSigningKey();
  const signingKey = signingKeyFromSeed(keyId, signing.seed);
  const joinToken = randomBytes(24).toString('base64url');
  const enrolled: ControlPlane['enrolled'] = [];
  const tenants = new Map<string, { tenant: TestTenant; pipelines: TestPipeline[]; fence: Fence | null; hash: string }>();
  const trailReaders: { stop(): Promise<void> }[] = [];
  let generation = 0;
  let isDown = false;

  const sign = (purpose: SignedPurpose, value: unknown): string => JSON.stringify(signEnvelope(purpose, canonicalJson(value), signingKey));
  const config = async () => createConfigBucket(await admin.control(), keys);
  const status = async () => createStatusBucket(await admin.control());
  const nextFence = (): Fence => ({ epoch: 1, generation: ++generation });
  const accountOf = ({ tenantId, accountSeed }: TestTenant) => ({ tenantId, accountSeed });

  const grantTo = async (node: { nodeId: string; request: EnrolmentRequest }, tenant: TestTenant): Promise<void> => {
    const grant: Grant = {
      v: 1,
      nodeId: node.nodeId,
      tenantId: tenant.tenantId,
      ...nextFence(),
      natsJwt: await issueTenantJwt(tenant.accountSeed, { nodeId: node.nodeId, pool, publicKey: node.request.identityKey }),
      sealedProofKey: seal(node.request.sealKey, grantSealContext(node.nodeId, tenant.tenantId), tenant.proofKey),
    };
    await (await config()).put(configKeys.grant(node.nodeId, tenant.tenantId), sign('grant', grant));
  };

  const sealTo = (
    { nodeId, request }: ControlPlane['enrolled'][number],
    { tenantId }: TestTenant,
    secrets: TestSecrets,
    within: string,
  ): SealedSecretRecord[] =>
    Object.entries(secrets).map(([name, { hosts = [], values }]) => ({
      ...{ id: `sec_${name}`, name, hosts },
      versions: values.map(([version, value]) => ({
        version,
        ...sealSecret(request.sealKey, { nodeId, tenantId, within }, { id: `sec_${name}`, name, version }, Buffer.from(value)),
      })),
    }));
  const putSecrets = async (tenant: TestTenant, secrets: TestSecrets): Promise<string> => {
    let hash = '';
    for (const node of enrolled) {
      const fence = nextFence();
      const sealed = sealTo(node, tenant, secrets, documentPlace(fence));
      hash = secretSetHash(sealed);
      const document: SecretsDocument = { v: 1, nodeId: node.nodeId, tenantId: tenant.tenantId, ...fence, secrets: sealed };
      await (await config()).put(configKeys.secrets(node.nodeId, tenant.tenantId), sign('secrets', document));
    }
    return hash;
  };

  const putHead = async (): Promise<void> => {
    const current = [...tenants.values()].flatMap(({ tenant, fence, hash }) => (fence === null ? [] : [[tenant.tenantId, { ...fence, hash }] as const]));
    const head: Head = { v: 1, pool, ...nextFence(), issuedAt: new Date().toISOString(), tenants: Object.fromEntries(current) };
    await (await config()).put(configKeys.head(pool), sign('head', head));
  };

  const enrol = async (request: EnrolmentRequest): Promise<EnrolmentResponse> => {
    const known = enrolled.find((node) => node.request.identityKey === request.identityKey);
    const node = known ?? { nodeId: newId('nod'), request };
    if (!known) {
      enrolled.push(node);
      for (const { tenant, fence } of tenants.values()) if (fence !== null) await grantTo(node, tenant);
    }
    return {
      nodeId: node.nodeId,
      pool,
      natsUrl: nats.url,
      controlJwt: await issueControlJwt(keys, { nodeId: node.nodeId, pool, publicKey: request.identityKey }),
      trustedKeys: [{ keyId, publicKey: signing.publicKey }],
    };
  };

  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const ask = enrolmentRequestSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    const isKnown = ask.token === joinToken;
    response
      .writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' })
      .end(JSON.stringify(isKnown ? await enrol(ask) : { title: 'Sign-in needed', detail: 'This join token is unknown, used or expired.' }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const readTrail = async (tenant: TestTenant): Promise<void> => {
    trailReaders.push(
      consumePacks(await admin.tenant(accountOf(tenant)), {
        stream: streamNames.trail,
        consumer: consumerNames.trail,
        maxPacks: 64,
        onPack(pack) {
          const value: unknown = JSON.parse(Buffer.from(pack.data).toString('utf8'));
          // The same stream has what connectors were asked.
          if (pack.subject.startsWith('calls.')) tenant.calls.push(connectorCallsSchema.parse(value));
          else tenant.trail.push(trailRecordSchema.parse(value));
          pack.ack();
        },
        onError() {}, // it goes on by itself; tests stop and start the server
      }),
    );
  };

  const down = async (): Promise<void> => {
    if (isDown) return;
    isDown = true;
    await Promise.all(trailReaders.map((reader) => reader.stop()));
    await admin.close();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };

  const plane: ControlPlane = {
    nats,
    keys,
    admin,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    joinToken,
    enrolled,
    async addTenant(storage) {
      const tenant: TestTenant = { tenantId: newId('cus'), accountSeed: createAccountSeed(), proofKey: randomBytes(32), trail: [], calls: [] };
      // A test before may have killed NATS: our own connection to it comes back a moment after the nodes'.
      await eventually(() => admin.ensureTenant({ ...accountOf(tenant), ...(storage && { storage }) }), { what: 'the account of a tenant' });
      tenants.set(tenant.tenantId, { tenant, pipelines: [], fence: null, hash: '' });
      await readTrail(tenant);
      return tenant;
    },
    async pipeline(tenant, input, of) {
      const pipelineId = of?.pipelineId ?? newId('pip');
      await admin.ensurePipelineConsumer(accountOf(tenant), pipelineId, (input.strict ?? []).length > 0);
      const source = of?.spec.source;
      const path = source && isHttp(source) ? source.settings.path : newInletPath();
      const spec = pipelineSpecSchema.parse({
        v: 1,
        source: { id: 'in', name: 'Webhook', connector: 'http', settings: { ...input.from, path } },
        steps: (input.steps ?? []).map((step) => ({ ...step, name: step.id, language: 'typescript' })),
        destinations: [
          ...Object.entries(input.to).map(([id, { after, ...settings }]) => ({ id, name: id, connector: 'http', settings, ...(after && { after }) })),
          ...Object.entries(input.through ?? {}).map(([id, part]) => ({ id, name: id, ...part })),
        ].map((destination) => ({
          ...destination,
          ...(input.retry ? { retry: input.retry } : {}),
          ...(input.strict?.includes(destination.id) ? { order: 'strict' } : {}),
        })),
        ...(input.reply ? { reply: input.reply } : {}),
      });
      const modules = await Promise.all((input.steps ?? []).map(compile));
      const revision = (of?.revision ?? 0) + 1;
      return {
        pipelineId,
        path: `/in/${path}`,
        spec,
        revision,
        bundlePipeline: { pipelineId, name: 'Test', revision, hash: contentHash(canonicalJson(spec)), spec, modules },
      };
    },
    async publish(tenant, pipelines, policy, secrets) {
      const entry = tenants.get(tenant.tenantId);
      if (!entry) throw new Error('this tenant is not one of ours');
      const set = secrets && (await putSecrets(tenant, secrets));
      const fence = nextFence();
      const bundle: Bundle = {
        v: 1,
        tenantId: tenant.tenantId,
        pool,
        ...fence,
        issuedAt: new Date().toISOString(),
        ...(policy === undefined ? {} : { policy }),
        ...(set === undefined ? {} : { secrets: set }),
        pipelines: pipelines.map(({ bundlePipeline }) => bundlePipeline),
      };
      const isFirst = entry.fence === null;
      Object.assign(entry, { pipelines, fence, hash: contentHash(canonicalJson(bundle)) });
      if (isFirst) for (const node of enrolled) await grantTo(node, tenant);
      await (await config()).put(configKeys.bundle(pool, tenant.tenantId), sign('bundle', bundle));
      await putHead();
      return fence;
    },
    sealedForRequest: (tenant, secrets, issuedAtMs) =>
      Object.fromEntries(enrolled.map((node) => [node.nodeId, sealTo(node, tenant, secrets, requestPlace(issuedAtMs))])),
    async leaveOut({ tenantId }) {
      tenants.delete(tenantId);
      await putHead();
    },
    signedBundle: (bundle) => sign('bundle', { v: 1, pool, ...nextFence(), issuedAt: new Date().toISOString(), ...bundle }),
    async putConfig(key, value) {
      await (await config()).put(key, value);
    },
    async deleteConfig(key) {
      await (await config()).delete(key);
    },
    async getConfig(key) {
      const found = await (await config()).get(key);
      if (!found) throw new Error(`there is no ${key}`);
      return found.value;
    },
    bundleKey: (tenant) => configKeys.bundle(pool, tenant.tenantId),
    async report(nodeId, tenantId) {
      const found = await (await status()).get(statusKeys.report(nodeId, tenantId));
      return found ? reportSchema.parse(JSON.parse(found.value)) : null;
    },
    async lease(nodeId) {
      const found = await (await status()).get(statusKeys.lease(nodeId));
      return found ? (JSON.parse(found.value) as Lease) : null;
    },
    async offers(nodeId) {
      const found = await (await status()).get(statusKeys.offers(nodeId));
      return found ? offersSchema.parse(JSON.parse(found.value)) : null;
    },
    async check(tenant, request) {
      const nc = await admin.tenant(accountOf(tenant));
      const whole = {
        v: 1,
        tenantId: tenant.tenantId,
        pool,
        issuedAtMs: Date.now(),
        role: 'destination',
        settings: {},
        sandboxMinimum: [],
        probe: false,
        ...request,
      };
      return connectorResponseSchema.parse((await nc.request(subjects.connector(pool), sign('connector', whole), { timeout: 30_000 })).json());
    },
    waitForReport(tenant, matches, timeoutMs = 20_000) {
      return eventually(
        async () => {
          const reports = await Promise.all(enrolled.map(({ nodeId }) => plane.report(nodeId, tenant.tenantId)));
          const found = reports.find((report) => report !== null && matches(report));
          if (!found) throw new Error(`so far ${JSON.stringify(reports)}`);
          return found;
        },
        { timeoutMs, what: `a report for ${tenant.tenantId}` },
      ) as Promise<Report>;
    },
    waitForOutcome(tenant, messageId, matches = (message) => message.destinations.every(({ state }) => state !== 'retrying'), timeoutMs = 20_000) {
      return eventually(
        () => {
          const found = tenant.trail.flatMap(({ messages }) => messages).filter(({ id }) => id === messageId);
          return found.findLast(matches) ?? false;
        },
        { timeoutMs, what: `the outcome of ${messageId}` },
      ) as Promise<TrailMessage>;
    },
    async dlq(tenant, seq) {
      return getStored(await admin.tenant(accountOf(tenant)), streamNames.dlq, seq);
    },
    async run(tenant, request) {
      const nc = await admin.tenant(accountOf(tenant));
      const answer = await nc.request(subjects.run(pool), sign('run', { v: 1, tenantId: tenant.tenantId, pool, issuedAtMs: Date.now(), ...request }), {
        timeout: 15_000,
      });
      return answer.json<RunResponse>();
    },
    down,
    async [Symbol.asyncDispose]() {
      await down();
      await nats[Symbol.asyncDispose]();
    },
  };
  return plane;
}

const compiled = new Map<string, Promise<BundlePipeline['modules'][number]>>();

function compile({ id, kind, source }: StepInput): Promise<BundlePipeline['modules'][number]> {
  const key = `${id} ${kind} ${source}`;
  let found = compiled.get(key);
  if (!found) {
    found = compileStep({ kind, language: 'typescript', source }).then((result) => {
      if (!result.ok) throw new Error(`step ${id} does not compile: ${JSON.stringify(result.problems)}`);
      return { stepId: id, sha256: contentHash(result.code), format: result.format, code: result.code };
    });
    compiled.set(key, found);
  }
  return found;
}
