import { canonicalJson, contentHash } from '@vrsky/contracts/canonical-json';
import type { PipelineDraft } from '@vrsky/contracts/pipeline-spec';

/** The part that nodes get: samples and fixtures are the editor's, may hold somebody's data, and change nothing that runs. */
export function toPublishable<T extends Pick<PipelineDraft, 'steps'>>(draft: T): T {
  return { ...draft, steps: draft.steps.map(({ sample: _sample, fixtures: _fixtures, ...step }) => step) };
}

/** Equal to the hash of the revision that publishing this draft would make. */
export function draftHash(draft: PipelineDraft): string {
  return contentHash(canonicalJson(toPublishable(draft)));
}
