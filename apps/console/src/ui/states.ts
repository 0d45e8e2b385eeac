import {
  type Icon,
  IconAlertTriangle,
  IconBan,
  IconCheck,
  IconCircleCheck,
  IconClockX,
  IconFilter,
  IconHeartbeat,
  IconLoader2,
  IconMailX,
  IconPencil,
  IconPlayerPlay,
  IconPlayerStop,
  IconPlugConnectedX,
  IconQuestionMark,
  IconRefresh,
  IconSend,
  IconX,
} from '@tabler/icons-react';
import type { MessageState, StepTrailView } from '../features/messages/types.ts';
import type { NodeView, RolloutState } from '../features/nodes/types.ts';
import type { PipelineState } from '../features/pipelines/types.ts';

/** Every state a person meets: of messages and attempts, steps, pipelines, roll-outs, nodes and connectors. */
export type StateName = MessageState | StepTrailView['result'] | PipelineState | RolloutState | NodeView['liveness'] | NodeView['connectors'][number]['state'];

export type Tone = 'good' | 'wait' | 'bad' | 'quiet' | 'accent';

export interface StateLook {
  word: string;
  tone: Tone;
  icon: Icon;
  /** Turns while the state lasts. */
  turning?: true;
}

/** One look for one state everywhere: an icon and a word, and a colour that repeats what they say. */
export const stateLooks: Record<StateName, StateLook> = {
  delivered: { word: 'Delivered', tone: 'good', icon: IconCheck },
  filtered: { word: 'Filtered', tone: 'quiet', icon: IconFilter },
  dead_lettered: { word: 'Dead-lettered', tone: 'bad', icon: IconMailX },
  expired: { word: 'Expired', tone: 'quiet', icon: IconClockX },
  retrying: { word: 'Retrying', tone: 'wait', icon: IconRefresh },

  ok: { word: 'Done', tone: 'good', icon: IconCheck },
  failed: { word: 'Failed', tone: 'bad', icon: IconX },

  draft: { word: 'Draft', tone: 'quiet', icon: IconPencil },
  rolling_out: { word: 'Rolling out', tone: 'wait', icon: IconLoader2, turning: true },
  running: { word: 'Running', tone: 'good', icon: IconPlayerPlay },
  degraded: { word: 'Degraded', tone: 'wait', icon: IconAlertTriangle },

  sent: { word: 'Sent', tone: 'quiet', icon: IconSend },
  received: { word: 'Received', tone: 'wait', icon: IconLoader2, turning: true },
  applied: { word: 'Applied', tone: 'good', icon: IconCircleCheck },
  rejected: { word: 'Rejected', tone: 'bad', icon: IconBan },

  live: { word: 'Live', tone: 'good', icon: IconHeartbeat },
  silent: { word: 'Silent', tone: 'wait', icon: IconQuestionMark },
  gone: { word: 'Gone', tone: 'bad', icon: IconPlugConnectedX },

  starting: { word: 'Starting', tone: 'wait', icon: IconLoader2, turning: true },
  restarting: { word: 'Restarting', tone: 'wait', icon: IconRefresh },
  stopped: { word: 'Stopped', tone: 'quiet', icon: IconPlayerStop },
};

/** What can become of a message, in the order of a filter. */
export const messageStates = ['delivered', 'filtered', 'retrying', 'dead_lettered', 'expired'] as const satisfies MessageState[];

/** For a list of choices: which word a state has. */
export function stateWord(state: StateName): string {
  return stateLooks[state].word;
}
