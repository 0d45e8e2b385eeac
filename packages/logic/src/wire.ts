import type { ExecutorResult, ExecutorStep } from './executor.ts';
import type { SandboxInput } from './sandbox.ts';
import type { LogicMessage, LogicResult, StepLimits, StepRun } from './types.ts';

/** A job on its way to a worker: payloads in one buffer that is handed over, the rest in flat lists, which are cheap to copy. */
export interface WireJob {
  job: number;
  tenantId: string;
  /** `code` is left out when the worker has the step already, and empty when the module comes prepared. */
  steps: (Omit<ExecutorStep, 'code'> & { code?: string })[];
  /** Keys of steps that the worker drops. */
  forget: string[];
  capture: boolean;
  limits: StepLimits;
  /** How long a step may take messages. */
  turnMs: number;
  ids: string[];
  customerIds: string[];
  traceIds: string[];
  pipelineIds: string[];
  contentTypes: string[];
  headers: string[];
  receivedAtMs: number[];
  /** Where each payload ends in `payloads`. */
  ends: number[];
  payloads: ArrayBuffer;
}

/** What comes back. Most messages pass: for them two numbers a step and the place of the payload are enough. */
export interface WireAnswer {
  job: number;
  /** What the job took in the worker. */
  busyUs: number;
  payloads: ArrayBuffer;
  /** Where each new payload ends; the same as the one before when a message kept its own or has none. */
  ends: number[];
  /** null for a message that left as it came. */
  contentTypes: (string | null)[];
  /** Four numbers for every step of every message without an entry in `special`: instructions, durationUs, decode and encode (-1: not told apart). */
  numbers: Float64Array;
  special: { index: number; result: ExecutorResult }[];
}

export function encodeMessages(
  messages: LogicMessage[],
): Pick<WireJob, 'ids' | 'customerIds' | 'traceIds' | 'pipelineIds' | 'contentTypes' | 'headers' | 'receivedAtMs' | 'ends' | 'payloads'> {
  const packed = pack(messages.map((message) => message.payload));
  return {
    ids: messages.map((message) => message.id),
    customerIds: messages.map((message) => message.customerId),
    traceIds: messages.map((message) => message.traceId),
    pipelineIds: messages.map((message) => message.pipelineId),
    contentTypes: messages.map((message) => message.contentType),
    headers: messages.map((message) => JSON.stringify(message.headers)),
    receivedAtMs: messages.map((message) => message.receivedAtMs),
    ...packed,
  };
}

export function decodeMessages(job: WireJob): SandboxInput[] {
  const bytes = new Uint8Array(job.payloads);
  return job.ids.map((id, i) => ({
    id,
    customerId: job.customerIds[i] as string,
    traceId: job.traceIds[i] as string,
    pipelineId: job.pipelineIds[i] as string,
    contentType: job.contentTypes[i] as string,
    headersJson: job.headers[i] as string,
    receivedAtMs: job.receivedAtMs[i] as number,
    payload: bytes.subarray(i === 0 ? 0 : (job.ends[i - 1] as number), job.ends[i]),
  }));
}

/** `results` are of the job's first messages: the others did not get their turn. */
export function encodeAnswer(job: WireJob, results: ExecutorResult[], busyUs: number): WireAnswer {
  const stepCount = job.steps.length;
  const numbers = new Float64Array(results.length * stepCount * perRun);
  const special: WireAnswer['special'] = [];
  const isPlain = results.map((result, index) => {
    const plain = !job.capture && result.outcome === 'ok' && result.steps.every((run) => run.logs.length === 0);
    if (!plain) special.push({ index, result: detached(result) });
    for (const [i, run] of plain ? result.steps.entries() : []) {
      const at = (index * stepCount + i) * perRun;
      numbers[at] = run.instructions;
      numbers[at + 1] = run.durationUs;
      numbers[at + 2] = run.split?.decode ?? -1;
      numbers[at + 3] = run.split?.encode ?? -1;
    }
    return plain;
  });
  return {
    job: job.job,
    busyUs,
    ...pack(results.map((result, i) => (isPlain[i] && result.payload) || nothing)),
    contentTypes: results.map((result) => (result.payload === undefined ? null : result.contentType)),
    numbers,
    special,
  };
}

export function decodeAnswer(answer: WireAnswer, steps: { stepId: string }[], messages: LogicMessage[]): LogicResult[] {
  const bytes = new Uint8Array(answer.payloads);
  const special = new Map(answer.special.map(({ index, result }) => [index, result]));
  return messages.slice(0, answer.ends.length).map((message, i) => {
    const result = special.get(i);
    if (result) return toResult(result, message);
    const contentType = answer.contentTypes[i] as string | null;
    return {
      outcome: 'ok',
      payload: contentType === null ? message.payload : bytes.subarray(i === 0 ? 0 : (answer.ends[i - 1] as number), answer.ends[i]),
      contentType: contentType ?? message.contentType,
      steps: steps.map(({ stepId }, k) => plainRun(stepId, answer.numbers, (i * steps.length + k) * perRun)),
    };
  });
}

export function toResult(result: ExecutorResult, message: { payload: Uint8Array }): LogicResult {
  if (result.outcome === 'ok') return { outcome: 'ok', payload: result.payload ?? message.payload, contentType: result.contentType, steps: result.steps };
  return { outcome: result.outcome, stepId: result.stepId ?? '', code: result.code ?? 'threw', reason: result.reason ?? '', steps: result.steps };
}

const nothing = new Uint8Array(0);
const perRun = 4;

function plainRun(stepId: string, numbers: Float64Array, at: number): StepRun {
  const [instructions = 0, durationUs = 0, decode = -1, encode = -1] = numbers.subarray(at, at + perRun);
  const split = decode < 0 ? {} : { split: { decode, logic: instructions - decode - encode, encode } };
  return { stepId, result: 'ok', instructions, ...split, durationUs, logs: [] };
}

/** Copies of its bytes alone: a view would drag the whole buffer it lies in along. */
function detached(result: ExecutorResult): ExecutorResult {
  return {
    ...result,
    payload: result.payload?.slice(),
    steps: result.steps.map((run) => (run.output ? { ...run, output: { ...run.output, payload: run.output.payload.slice() } } : run)),
  };
}

function pack(parts: Uint8Array[]): { payloads: ArrayBuffer; ends: number[] } {
  let total = 0;
  const ends = parts.map((part) => (total += part.length));
  const bytes = new Uint8Array(total);
  for (const [i, part] of parts.entries()) bytes.set(part, (ends[i] as number) - part.length);
  return { payloads: bytes.buffer, ends };
}
