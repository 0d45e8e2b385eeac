import { isHttp, type PipelineDraft } from '@vrsky/contracts/pipeline-spec';
import { isOpenSource } from './open-source.ts';
import type { PipelineDetail } from './types.ts';

/** What a person building a pipeline would do next, in a sentence; null when nothing is left to do. */
export function nextStep(
  pipeline: Pick<PipelineDetail, 'publishedRevision' | 'hasUnpublishedChanges' | 'lastMessageAt' | 'state'>,
  draft: PipelineDraft,
  problems: number,
): string | null {
  const byUrl = isHttp(draft.source);
  if (draft.destinations.length === 0) {
    return draft.steps.length === 0 && byUrl
      ? 'The source has its URL already. Add a step that converts or filters, or a destination.'
      : 'Add a destination: where should messages go?';
  }
  if (draft.destinations.some((destination) => isHttp(destination) && destination.settings.url === ''))
    return 'Enter the URL of the destination, or take the test receiver.';
  if (problems > 0) return 'Mend what is marked, then publish.';
  if (pipeline.publishedRevision === null) return byUrl ? 'Publish: then the URL accepts messages.' : 'Publish: then the source begins.';
  if (pipeline.hasUnpublishedChanges) return 'Publish: until then the nodes run the revision before.';
  if (pipeline.state === 'rolling_out') return 'The nodes are taking the revision over.';
  if (pipeline.lastMessageAt === null) {
    if (!byUrl) return 'Nothing has come from the source yet.';
    return isOpenSource(draft.source)
      ? 'Send a first message: the source has a ready curl line.'
      : 'Let the sender send a first message. What the source refuses shows here, too, with the reason.';
  }
  return null;
}
