import type { Bundle, BundlePipeline, ModuleFormat } from '@vrsky/contracts/bundle';
import { limits } from '@vrsky/contracts/limits';
import {
  type DestinationSpec,
  isHttp,
  type PipelineSpec,
  type ReplySpec,
  type RetryPolicy,
  type SourceSpec,
  STEPS_REPLY,
  type StepSpec,
} from '@vrsky/contracts/pipeline-spec';
import { secretNames } from '@vrsky/contracts/secrets';
import { listStages } from '@vrsky/contracts/stages';

import type { SealedSecret, TenantSecrets } from './sealed-secret.ts';

export interface StepPlan {
  stepId: string;
  name: string;
  kind: 'convert' | 'filter';
  sha256: string;
  format: ModuleFormat;
  code: string;
}

export interface DestinationPlan {
  id: string;
  name: string;
  connectionId: string;
  policy: RetryPolicy;
  /** Messages in the order in which they were stored, also over retries. */
  isStrict: boolean;
  /** When the node gives up on the connector's answer: its own timeout and some for the way through it. */
  deadlineMs: number;
  /** How much of its answer goes on, because something takes it as its input, or a sender waits for it; 0: nothing does. */
  answerBytesMax: number;
  /** Something takes its answer as its input. */
  isInput: boolean;
}

/** What runs on one input. */
export interface StagePlan {
  steps: StepPlan[];
  destinations: DestinationPlan[];
}

export interface ConnectionPlan {
  connectionId: string;
  tenantId: string;
  connector: string;
  /** The bytes that must run; undefined: the newest release that the node has. */
  release: string | undefined;
  role: 'source' | 'destination';
  /** What people call it: `“Webhook” of the pipeline “Orders”`. */
  title?: string;
  settings: unknown;
  /** Of a destination: how much of the receiver's answer goes on, whole; nothing when left out. */
  answerBytesMax?: number;
  /** With it: a sender waits for the answer, and nothing needs it. */
  answerOptional?: boolean;
  /** What the settings refer to, and nothing else of the tenant's secrets. */
  secrets: readonly SealedSecret[];
  /** Of a source: its senders wait so long for the pipeline's result. */
  replyWithinMs?: number;
  /** Layers of the sandbox without which the tenant wants no connector to run. */
  sandboxMinimum: readonly string[];
}

/** What the senders of a pipeline wait for. */
export interface ReplyPlan {
  /** `steps`, or a destination. */
  from: string;
  withinMs: number;
  /** That destination, and those whose answers lead to it: where one of them ends otherwise, there will be no answer. */
  path: ReadonlySet<string>;
}

/** One published revision of a pipeline, as a node runs it. */
export interface PipelinePlan {
  tenantId: string;
  pipelineId: string;
  name: string;
  revision: number;
  sourceConnectionId: string;
  /** By the destination whose answer is the input; the stage of what comes in has the empty name. */
  stages: ReadonlyMap<string, StagePlan>;
  connections: ConnectionPlan[];
  /** What its senders wait for; undefined when they are answered as soon as their message is stored. */
  reply?: ReplyPlan;
}

const deadlineSlackMs = 5_000;

export function planPipelines(bundle: Bundle, secrets: TenantSecrets = new Map()): PipelinePlan[] {
  return bundle.pipelines.map((pipeline) => planPipeline(bundle.tenantId, bundle.policy?.sandboxMinimum ?? [], pipeline, secrets));
}

/** The secrets that settings refer to, as far as the node has them. What it lacks, the connector misses and says so at the field. */
export function secretsFor(settings: unknown, secrets: TenantSecrets): SealedSecret[] {
  return secretNames(settings).flatMap((name) => secrets.get(name) ?? []);
}

/** HTTP knows its own; of other connectors nobody knows how long one delivery may take. */
function deadlineOf(destination: DestinationSpec): number {
  const ownMs = isHttp(destination) ? destination.settings.timeoutMs : limits.requestTimeoutMsMax;
  return Math.min(ownMs, limits.requestTimeoutMsMax) + deadlineSlackMs;
}

function planPipeline(tenantId: string, sandboxMinimum: readonly string[], pipeline: BundlePipeline, secrets: TenantSecrets): PipelinePlan {
  const { spec, pipelineId } = pipeline;
  const modules = new Map(pipeline.modules.map((module) => [module.stepId, module]));
  const connectionOf = (
    connectionId: string,
    role: ConnectionPlan['role'],
    { name, connector, release, settings }: SourceSpec | DestinationSpec,
  ): ConnectionPlan => ({
    connectionId,
    tenantId,
    connector,
    release,
    role,
    title: `“${name}” of the pipeline “${pipeline.name}”`,
    settings,
    secrets: secretsFor(settings, secrets),
    sandboxMinimum,
  });
  const sourceConnectionId = `${pipelineId}/${spec.source.id}`;
  const stages = listStages(spec);
  const goOn = new Set(stages.map(({ after }) => after));
  const answerBytesMaxOf = ({ id }: DestinationSpec): number => (goOn.has(id) || spec.reply?.from === id ? limits.wholeAnswerBytesMax : 0);
  const planStep = (step: StepSpec): StepPlan => {
    const module = modules.get(step.id);
    if (!module) throw new Error(`bug: a verified bundle has no code for step ${step.id}`);
    return { stepId: step.id, name: step.name, kind: step.kind, sha256: module.sha256, format: module.format, code: module.code };
  };
  const planDestination = (destination: DestinationSpec): DestinationPlan => ({
    id: destination.id,
    name: destination.name,
    connectionId: `${pipelineId}/${destination.id}`,
    policy: destination.retry,
    isStrict: destination.order === 'strict',
    deadlineMs: deadlineOf(destination),
    answerBytesMax: answerBytesMaxOf(destination),
    isInput: goOn.has(destination.id),
  });
  return {
    tenantId,
    pipelineId,
    name: pipeline.name,
    revision: pipeline.revision,
    sourceConnectionId,
    stages: new Map(
      stages.map(({ after, steps, destinations }) => [after ?? '', { steps: steps.map(planStep), destinations: destinations.map(planDestination) }]),
    ),
    ...(spec.reply && { reply: planReply(spec, spec.reply) }),
    connections: [
      { ...connectionOf(sourceConnectionId, 'source', spec.source), ...(spec.reply && { replyWithinMs: spec.reply.withinMs }) },
      ...spec.destinations.map((destination) => ({
        ...connectionOf(`${pipelineId}/${destination.id}`, 'destination', destination),
        answerBytesMax: answerBytesMaxOf(destination),
        answerOptional: spec.reply?.from === destination.id && !goOn.has(destination.id),
      })),
    ],
  };
}

function planReply({ destinations }: PipelineSpec, { from, withinMs }: ReplySpec): ReplyPlan {
  const path = new Set<string>();
  if (from !== STEPS_REPLY)
    for (let id: string | undefined = from; id !== undefined && !path.has(id); id = destinations.find((destination) => destination.id === id)?.after)
      path.add(id);
  return { from, withinMs, path };
}

/** The destinations of all stages. */
export function listDestinations({ stages }: Pick<PipelinePlan, 'stages'>): DestinationPlan[] {
  return [...stages.values()].flatMap(({ destinations }) => destinations);
}
