import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { getStored } from '@vrsky/bus/stored';
import { contentHash } from '@vrsky/contracts/canonical-json';
import { type RunRequest, type RunResponse, runRequestSchema } from '@vrsky/contracts/run';
import { openEnvelope, type TrustedKey } from '@vrsky/contracts/signed';
import { streamNames, subjects } from '@vrsky/contracts/subjects';
import { AppError, isAppError, publicMessageOf } from '@vrsky/kernel/errors';
import type { Part } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import type { LogicPool, LogicResult, LogicStep } from '@vrsky/logic/pool';
import { decodeMessage, splitBatch } from '@vrsky/proto/message-codec';
import { findTraceContext, traceContextOfId } from '../core/trace-context.ts';
import type { Tenant } from '../tenant.ts';

/** Answers the console's "what did each step make of this message": the same steps on the same input, with their outputs kept. */
export interface RunService extends Part {
  set(tenant: Tenant): void;
  remove(tenantId: string): void;
}

export interface RunServiceOptions {
  pool: string;
  trusted: readonly TrustedKey[];
  steps: Pick<LogicPool, 'run'>;
  log: Log;
}

const requestAgeMsMax = 60_000;
/** Clocks of two machines may differ by this much. */
const clockSkewMs = 10_000;
const concurrentMax = 4;
const shownBytesMax = 262_144;
/** What an answer may take on the bus, in base64 and all. */
const answerBytesMax = 6 * 1_048_576;

export function createRunService({ pool, trusted, steps, log }: RunServiceOptions): RunService {
  const serving = new Map<string, { tenant: Tenant; subscription: Subscription | null }>();
  let running = 0;

  const serve = (tenant: Tenant, nc: NatsConnection): Subscription =>
    // One node of the pool answers.
    nc.subscribe(subjects.run(pool), {
      queue: 'run',
      callback: (error, message) =>
        void (error ? log.warn({ tenantId: tenant.tenantId, err: error }, 'requests to run steps cannot be received') : answer(tenant, nc, message)),
    });

  const answer = async (tenant: Tenant, nc: NatsConnection, message: Msg): Promise<void> => {
    message.respond(JSON.stringify(await respond(tenant, nc, message.string())));
  };

  const respond = async (tenant: Tenant, nc: NatsConnection, text: string): Promise<RunResponse> => {
    if (running >= concurrentMax) return { ok: false, code: 'RUN.BUSY', reason: 'The node is busy with other requests like this one. Try again in a moment.' };
    running++;
    try {
      return await run(tenant, nc, openRequest(text, { pool, tenantId: tenant.tenantId, trusted }));
    } catch (error) {
      log.warn({ tenantId: tenant.tenantId, err: error }, 'a request to run steps was refused');
      return { ok: false, code: isAppError(error) ? error.code : 'RUN.FAULT', reason: publicMessageOf(error) };
    } finally {
      running--;
    }
  };

  const run = async (tenant: Tenant, nc: NatsConnection, request: RunRequest): Promise<RunResponse> => {
    const input = await readInput(nc, tenant.tenantId, request);
    const plan = stepsOf(request);
    const [result] = plan.length === 0 ? [] : await steps.run({ tenantId: tenant.tenantId, steps: plan, messages: [input], capture: true });
    return toResponse(input, result ?? null, plan.length);
  };

  const end = (tenantId: string): void => {
    const found = serving.get(tenantId);
    serving.delete(tenantId);
    if (found?.subscription && !found.subscription.isClosed()) found.subscription.unsubscribe();
  };

  return {
    name: 'run service',
    set(tenant) {
      if (serving.get(tenant.tenantId)?.tenant === tenant) return;
      end(tenant.tenantId);
      const entry = { tenant, subscription: null as Subscription | null };
      serving.set(tenant.tenantId, entry);
      tenant.bus.connected.then(
        (nc) => {
          if (serving.get(tenant.tenantId) === entry) entry.subscription = serve(tenant, nc);
        },
        () => {}, // closed before it was there: nobody can ask
      );
    },
    remove: end,
    async [Symbol.asyncDispose]() {
      for (const tenantId of [...serving.keys()]) end(tenantId);
    },
  };
}

export interface RequestAsk {
  pool: string;
  tenantId: string;
  trusted: readonly TrustedKey[];
  nowMs?: number;
}

/** A request that the control plane signed for this tenant and pool within the last minute. Throws AppError. */
export function openRequest(text: string, { pool, tenantId, trusted, nowMs = Date.now() }: RequestAsk): RunRequest {
  const parsed = runRequestSchema.safeParse(JSON.parse(openEnvelope('run', text, trusted)));
  if (!parsed.success) throw refused('RUN.MALFORMED', parsed.error.message);
  const request = parsed.data;
  if (request.tenantId !== tenantId) throw refused('RUN.WRONG_TENANT', `a request for ${request.tenantId} came in the account of ${tenantId}`);
  if (request.pool !== pool) throw refused('RUN.WRONG_POOL', `a request for the pool ${request.pool} came to ${pool}`);
  const ageMs = nowMs - request.issuedAtMs;
  if (ageMs > requestAgeMsMax || ageMs < -clockSkewMs) throw refused('RUN.TOO_OLD', `the request is ${ageMs} ms old`);
  for (const module of request.pipeline.modules) {
    if (contentHash(module.code) !== module.sha256) throw refused('RUN.CONTENT_CHANGED', `the code of step ${module.stepId} does not match its hash`);
  }
  return request;
}

interface Input {
  id: string;
  customerId: string;
  traceId: string;
  pipelineId: string;
  headers: [string, string][];
  contentType: string;
  payload: Uint8Array;
  receivedAtMs: number;
}

async function readInput(nc: NatsConnection, tenantId: string, { input, pipeline, issuedAtMs }: RunRequest): Promise<Input> {
  const { pipelineId } = pipeline;
  if ('payloadBase64' in input) {
    return {
      id: 'sample',
      customerId: tenantId,
      traceId: '',
      pipelineId,
      headers: Object.entries(input.headers),
      contentType: input.contentType,
      payload: Buffer.from(input.payloadBase64, 'base64'),
      receivedAtMs: issuedAtMs,
    };
  }
  const stored = await getStored(nc, streamNames.ingest, input.seq);
  const entry = stored === null ? undefined : splitBatch(stored.data)[input.index];
  if (entry === undefined)
    throw new AppError({
      code: 'RUN.INPUT_GONE',
      kind: 'not_found',
      message: `${input.seq}.${input.index} is not in the stream`,
      publicMessage: 'The message itself is no longer kept; only its trail is.',
    });
  const message = decodeMessage(entry.raw);
  if (message.customerId !== tenantId || message.pipelineId !== pipelineId)
    throw refused('RUN.WRONG_INPUT', `${input.seq}.${input.index} is a message of ${message.customerId} in ${message.pipelineId}`);
  return {
    id: message.messageId,
    customerId: tenantId,
    traceId: (findTraceContext(message.traceparent) ?? traceContextOfId(message.messageId)).traceId,
    pipelineId,
    headers: message.headers,
    contentType: message.contentType,
    payload: message.payload,
    receivedAtMs: Math.floor(message.receivedAtUs / 1_000),
  };
}

function stepsOf({ pipeline }: RunRequest): LogicStep[] {
  return pipeline.steps.map(({ id, kind }) => {
    const module = pipeline.modules.find(({ stepId }) => stepId === id);
    if (!module) throw refused('RUN.MALFORMED', `step ${id} has no code`);
    return { stepId: id, kind, sha256: module.sha256, format: module.format, code: module.code };
  });
}

function toResponse(input: Input, result: LogicResult | null, stepCount: number): RunResponse {
  // Every payload is cut alike, so that all of them together fit into one answer.
  const bytesMax = Math.min(shownBytesMax, Math.floor((answerBytesMax * 3) / 4 / (stepCount + 1)));
  const payload = (bytes: Uint8Array, contentType: string) => ({
    base64: Buffer.from(bytes.subarray(0, bytesMax)).toString('base64'),
    bytes: bytes.length,
    contentType,
  });
  return {
    ok: true,
    input: { ...payload(input.payload, input.contentType), headers: Object.fromEntries(input.headers), messageId: input.id },
    steps: (result?.steps ?? []).map((step) => ({
      id: step.stepId,
      result: step.result,
      instructions: step.instructions,
      ...(step.split && { split: step.split }),
      durationUs: Math.round(step.durationUs),
      output: step.output ? payload(step.output.payload, step.output.contentType) : null,
      logs: step.logs,
      ...(step.code === undefined ? {} : { code: step.code }),
      ...(step.reason === undefined ? {} : { reason: step.reason }),
      ...(step.route === undefined ? {} : { route: step.route }),
      ...(step.line === undefined ? {} : { line: step.line }),
      ...(step.column === undefined ? {} : { column: step.column }),
    })),
  };
}

function refused(code: string, message: string): AppError {
  return new AppError({ code, kind: 'invalid', message });
}
