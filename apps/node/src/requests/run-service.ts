import type { NatsConnection } from '@nats-io/transport-node';
import { getStored } from '@vrsky/bus/stored';
import { contentHash } from '@vrsky/contracts/canonical-json';
import { type RunRequest, type RunResponse, runRequestSchema } from '@vrsky/contracts/run';
import type { TrustedKey } from '@vrsky/contracts/signed';
import { streamNames, subjects } from '@vrsky/contracts/subjects';
import { AppError } from '@vrsky/kernel/errors';
import type { Log } from '@vrsky/kernel/log';
import type { LogicPool, LogicResult, LogicStep } from '@vrsky/logic/pool';
import { decodeMessage, splitBatch } from '@vrsky/proto/message-codec';
import { findTraceContext, traceContextOfId } from '../core/trace-context.ts';
import { createTenantRequests, openTenantRequest, type RequestAsk, refusedRequest, type TenantRequests } from './tenant-requests.ts';

/** Answers the console's "what did each step make of this message": the same steps on the same input, with their outputs kept. */
export interface RunServiceOptions {
  pool: string;
  trusted: readonly TrustedKey[];
  steps: Pick<LogicPool, 'run'>;
  log: Log;
}

const concurrentMax = 4;
const shownBytesMax = 262_144;
/** What an answer may take on the bus, in base64 and all. */
const answerBytesMax = 6 * 1_048_576;

export function createRunService({ pool, trusted, steps, log }: RunServiceOptions): TenantRequests {
  return createTenantRequests<RunResponse>({
    name: 'run',
    subject: subjects.run(pool),
    prefix: 'RUN',
    concurrentMax,
    log,
    async answer({ tenantId }, nc, text) {
      const request = openRequest(text, { pool, tenantId, trusted });
      const input = await readInput(nc, tenantId, request);
      const plan = stepsOf(request);
      const [result] = plan.length === 0 ? [] : await steps.run({ tenantId, steps: plan, messages: [input], capture: true });
      return toResponse(input, result ?? null, plan.length);
    },
  });
}

/** Throws AppError `RUN.…` for a request that is not the control plane's, not for here, too old, or whose code is not what it names. */
export function openRequest(text: string, ask: RequestAsk): RunRequest {
  const request = openTenantRequest({ purpose: 'run', prefix: 'RUN', schema: runRequestSchema }, text, ask);
  for (const module of request.pipeline.modules) {
    if (contentHash(module.code) !== module.sha256) throw refusedRequest('RUN.CONTENT_CHANGED', `the code of step ${module.stepId} does not match its hash`);
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
    throw refusedRequest('RUN.WRONG_INPUT', `${input.seq}.${input.index} is a message of ${message.customerId} in ${message.pipelineId}`);
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
    if (!module) throw refusedRequest('RUN.MALFORMED', `step ${id} has no code`);
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
