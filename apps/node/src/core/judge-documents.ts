import { type Bundle, bundleSchema, compareFences, type Fence, type Grant, grantSchema, type Head, headSchema } from '@vrsky/contracts/bundle';
import { canonicalJson, contentHash } from '@vrsky/contracts/canonical-json';
import { limits } from '@vrsky/contracts/limits';
import { type SecretsDocument, secretsDocumentSchema } from '@vrsky/contracts/sealed-secrets';
import { openEnvelope, type SignedPurpose, type TrustedKey } from '@vrsky/contracts/signed';
import { AppError, isAppError } from '@vrsky/kernel/errors';
import { z } from 'zod';

/** What a node holds already of the same kind, for the same tenant. */
export interface Standing {
  fence: Fence;
  /** The signed text. Two documents of one fence differ when this does. */
  payload: string;
}

export type Judgement<T> =
  | { verdict: 'accept'; value: T; standing: Standing }
  /** The one we hold. */
  | { verdict: 'same' }
  /** `fence` is null when nothing in the document can be believed. */
  | { verdict: 'refuse'; code: string; reason: string; fence: Fence | null };

export interface BundleAsk {
  text: string;
  pool: string;
  tenantId: string;
  trusted: readonly TrustedKey[];
  standing: Standing | null;
  /** From the pool's signed head: a bundle older than this is a replay, also for a node that lost its disk. */
  least?: Fence | undefined;
}

/** The rules a bundle must pass before anything of it runs. Nothing is read from it before its signature is verified. */
export function judgeBundle(ask: BundleAsk): Judgement<Bundle> {
  return judge(() => {
    if (Buffer.byteLength(ask.text) > limits.bundleBytesMax) throw refusal('BUNDLE.TOO_LARGE', `The bundle is larger than ${limits.bundleBytesMax} bytes.`);
    const { payload, value: bundle } = open('bundle', ask.text, ask.trusted, bundleSchema);
    const fence = fenceOf(bundle);
    if (bundle.tenantId !== ask.tenantId)
      throw refusal('BUNDLE.WRONG_TENANT', `The bundle is of ${bundle.tenantId}, but was put where the bundle of ${ask.tenantId} belongs.`, fence);
    if (bundle.pool !== ask.pool) throw refusal('BUNDLE.WRONG_POOL', `The bundle is for the node pool ${bundle.pool}; this node serves ${ask.pool}.`, fence);
    if (isHeld('BUNDLE', ask.standing, fence, payload)) return null;
    if (ask.least && compareFences(fence, ask.least) < 0)
      throw refusal(
        'BUNDLE.OLDER',
        `Generation ${say(fence)} is older than ${say(ask.least)}, which the control plane says is current: an old bundle was put back.`,
        fence,
      );
    const problem = findContentProblem(bundle);
    if (problem) throw refusal('BUNDLE.CONTENT_CHANGED', problem, fence);
    return { value: bundle, standing: { fence, payload } };
  });
}

export interface GrantAsk {
  text: string;
  nodeId: string;
  tenantId: string;
  trusted: readonly TrustedKey[];
  standing: Standing | null;
}

export function judgeGrant(ask: GrantAsk): Judgement<Grant> {
  return judge(() => {
    const { payload, value: grant } = open('grant', ask.text, ask.trusted, grantSchema);
    const fence = fenceOf(grant);
    if (grant.nodeId !== ask.nodeId) throw refusal('GRANT.WRONG_NODE', `The grant is for node ${grant.nodeId}; this is ${ask.nodeId}.`, fence);
    if (grant.tenantId !== ask.tenantId)
      throw refusal('GRANT.WRONG_TENANT', `The grant is of ${grant.tenantId}, but was put where the grant of ${ask.tenantId} belongs.`, fence);
    if (isHeld('GRANT', ask.standing, fence, payload)) return null;
    return { value: grant, standing: { fence, payload } };
  });
}

/** The rules for a tenant's secrets are those for its grant: they are for this node, this tenant, and not older than what it holds. */
export function judgeSecrets(ask: GrantAsk): Judgement<SecretsDocument> {
  return judge(() => {
    if (Buffer.byteLength(ask.text) > limits.bundleBytesMax) throw refusal('SECRETS.TOO_LARGE', `The secrets are larger than ${limits.bundleBytesMax} bytes.`);
    const { payload, value: document } = open('secrets', ask.text, ask.trusted, secretsDocumentSchema);
    const fence = fenceOf(document);
    if (document.nodeId !== ask.nodeId) throw refusal('SECRETS.WRONG_NODE', `The secrets are for node ${document.nodeId}; this is ${ask.nodeId}.`, fence);
    if (document.tenantId !== ask.tenantId)
      throw refusal('SECRETS.WRONG_TENANT', `The secrets are of ${document.tenantId}, but were put where those of ${ask.tenantId} belong.`, fence);
    if (isHeld('SECRETS', ask.standing, fence, payload)) return null;
    return { value: document, standing: { fence, payload } };
  });
}

export interface HeadAsk {
  text: string;
  pool: string;
  trusted: readonly TrustedKey[];
  standing: Standing | null;
}

export function judgeHead(ask: HeadAsk): Judgement<Head> {
  return judge(() => {
    const { payload, value: head } = open('head', ask.text, ask.trusted, headSchema);
    const fence = fenceOf(head);
    if (head.pool !== ask.pool) throw refusal('HEAD.WRONG_POOL', `The head is of the node pool ${head.pool}; this node serves ${ask.pool}.`, fence);
    if (isHeld('HEAD', ask.standing, fence, payload)) return null;
    return { value: head, standing: { fence, payload } };
  });
}

class Refusal extends Error {
  readonly code: string;
  readonly fence: Fence | null;
  constructor(code: string, reason: string, fence: Fence | null) {
    super(reason);
    this.code = code;
    this.fence = fence;
  }
}

function refusal(code: string, reason: string, fence: Fence | null = null): Refusal {
  return new Refusal(code, reason, fence);
}

function judge<T>(rules: () => { value: T; standing: Standing } | null): Judgement<T> {
  try {
    const accepted = rules();
    return accepted === null ? { verdict: 'same' } : { verdict: 'accept', ...accepted };
  } catch (error) {
    if (error instanceof Refusal) return { verdict: 'refuse', code: error.code, reason: error.message, fence: error.fence };
    if (isAppError(error)) return { verdict: 'refuse', code: error.code, reason: capital(error.message), fence: null };
    throw error;
  }
}

function open<T>(purpose: SignedPurpose, text: string, trusted: readonly TrustedKey[], schema: z.ZodType<T>): { payload: string; value: T } {
  const payload = openEnvelope(purpose, text, trusted);
  let json: unknown;
  try {
    json = JSON.parse(payload);
  } catch (cause) {
    throw new AppError({ code: 'DOCUMENT.MALFORMED', kind: 'invalid', message: `the signed ${purpose} is not JSON`, cause });
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success)
    throw new AppError({ code: 'DOCUMENT.MALFORMED', kind: 'invalid', message: `the signed ${purpose} has the wrong shape: ${z.prettifyError(parsed.error)}` });
  return { payload, value: parsed.data };
}

/** True when it is the one we hold; throws when it is older, or another one of the same fence. */
function isHeld(kind: string, standing: Standing | null, fence: Fence, payload: string): boolean {
  if (standing === null) return false;
  const order = compareFences(fence, standing.fence);
  if (order < 0)
    throw refusal(
      `${kind}.OLDER`,
      `Generation ${say(fence)} is older than ${say(standing.fence)}, which this node holds: an old document was put back.`,
      fence,
    );
  if (order > 0) return false;
  if (payload === standing.payload) return true;
  throw refusal(`${kind}.CONFLICT`, `There are two different documents with the generation ${say(fence)}. This node keeps the one it had first.`, fence);
}

/** What the signed text says about its own parts must be so: a step's code is run and cached under its hash. */
function findContentProblem(bundle: Bundle): string | null {
  for (const pipeline of bundle.pipelines) {
    if (contentHash(canonicalJson(pipeline.spec)) !== pipeline.hash) return `The content of pipeline "${pipeline.name}" does not match its hash.`;
    const modules = new Map(pipeline.modules.map((module) => [module.stepId, module]));
    for (const step of pipeline.spec.steps) {
      const module = modules.get(step.id);
      if (!module) return `Step "${step.name}" of pipeline "${pipeline.name}" has no compiled code.`;
      if (contentHash(module.code) !== module.sha256) return `The compiled code of step "${step.name}" of pipeline "${pipeline.name}" does not match its hash.`;
    }
  }
  return null;
}

const fenceOf = ({ epoch, generation }: Fence): Fence => ({ epoch, generation });
const say = (fence: Fence): string => `${fence.epoch}.${fence.generation}`;
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
