import type { ModuleFormat } from '@vrsky/contracts/bundle';
import type { PipelineDraft } from '@vrsky/contracts/pipeline-spec';
import type { RolloutView } from '../nodes/types.ts';

/** `draft`: never published. `rolling_out`: some node has not answered yet. `failed`: no node runs it. */
export type PipelineState = 'draft' | 'rolling_out' | 'running' | 'degraded' | 'failed';

export interface MinutePoint {
  /** Start of the minute, ISO. */
  at: string;
  delivered: number;
  filtered: number;
  deadLettered: number;
  retrying: number;
}

export interface PipelineSummary {
  id: string;
  name: string;
  state: PipelineState;
  publishedRevision: number | null;
  hasUnpublishedChanges: boolean;
  updatedAt: string;
  lastMessageAt: string | null;
  /** Last 60 minutes. */
  perMinute: MinutePoint[];
  shape: { steps: number; destinations: number };
}

export interface PipelineDetail extends PipelineSummary {
  draft: PipelineDraft;
  /** Send it back with the next save (optimistic locking). */
  draftVersion: number;
  ingestUrl: string;
  /** The built-in test receiver of this tenant: a ready value for a destination's URL. */
  receiverUrl: string;
  rollout: RolloutView[];
  revisions: { number: number; hash: string; createdAt: string; createdBy: string }[];
}

export interface CodeProblem {
  /** From 1. */
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
  severity: 'error' | 'warning';
  message: string;
}

/** Something about a draft, mostly why it cannot be published, such as a fixture that fails (`/steps/0/fixtures/2`): a path into the draft (JSON Pointer) and a sentence. */
export interface DraftProblem {
  path: string;
  /** The part it belongs to, when it belongs to one. */
  partId: string | null;
  message: string;
  code?: CodeProblem[];
  /** Good to know, and no reason not to publish. */
  warning?: true;
}

export interface SaveResult {
  draftVersion: number;
  problems: DraftProblem[];
}

export type PublishResult =
  /** `warnings`: what could not be checked, or waits for a node. */
  { ok: true; revision: number; epoch: number; generation: number; warnings: DraftProblem[] } | { ok: false; problems: DraftProblem[] };

/** A step compiled on the server; `code` is base64 when the format is `wasm`. */
export type CompiledView = { ok: true; format: ModuleFormat; code: string; problems: CodeProblem[] } | { ok: false; problems: CodeProblem[] };

/** What the workers of the step editor load, and how much it is. */
export interface StepFiles {
  /** The engine that TypeScript runs on, metered as on a node. */
  engine: { url: string; bytes: number };
  /** Types of the language and of the SDK. */
  types: { url: string; bytes: number };
}
