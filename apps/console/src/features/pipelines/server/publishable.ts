import { canonicalJson, contentHash } from '@vrsky/contracts/canonical-json';
import type { PipelineDraft } from '@vrsky/contracts/pipeline-spec';

/** The part of a draft that nodes get: a sample is the editor's, may hold somebody's data, and changes nothing that runs. */
export function toPublishable(draft: PipelineDraft): PipelineDraft {
  return { ...draft, steps: draft.steps.map(({ sample: _sample, ...step }) => step) };
}

/** Equal to the hash of the revision that publishing this draft would make. */
export function draftHash(draft: PipelineDraft): string {
  return contentHash(canonicalJson(toPublishable(draft)));
}
