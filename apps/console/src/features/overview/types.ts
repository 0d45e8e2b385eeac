import type { MessageSummary } from '../messages/types.ts';
import type { NodeView } from '../nodes/types.ts';
import type { MinutePoint, PipelineSummary } from '../pipelines/types.ts';

export interface OverviewView {
  pipelines: PipelineSummary[];
  nodes: NodeView[];
  perMinute: MinutePoint[];
  newest: MessageSummary[];
  deadLettersLastDay: number;
  asOf: string;
}
