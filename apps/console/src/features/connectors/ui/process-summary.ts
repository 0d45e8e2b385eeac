import { formatNumber } from '../../../ui/format.ts';
import type { ConnectorProcessView } from '../types.ts';

export interface ProcessSummary {
  state: ConnectorProcessView['state'] | 'silent';
  word: string;
  reason: string | null;
}

/** How the processes of a connector are, in a word or two: the worst of them has the say. Null when there is none. */
export function processSummary(processes: ConnectorProcessView[]): ProcessSummary | null {
  const heard = processes.filter((process) => process.nodeLiveness === 'live');
  if (processes.length === 0) return null;
  if (heard.length === 0) return { state: 'silent', word: 'Not heard of', reason: 'The nodes that ran it have not been heard of for a while.' };
  const running = heard.filter((process) => process.state === 'running');
  const [trouble] = (['restarting', 'starting', 'stopped'] as const).flatMap((state) => heard.filter((process) => process.state === state));
  const { length } = heard;
  if (!trouble) return { state: 'running', word: length === 1 ? 'Running' : `${formatNumber(length)} running`, reason: null };
  const words = { restarting: 'restarting', starting: 'starting', stopped: 'stopped' };
  const word = words[trouble.state as keyof typeof words];
  const count = heard.filter((process) => process.state === trouble.state).length;
  const told = length === 1 ? `${word[0]?.toUpperCase()}${word.slice(1)}` : `${formatNumber(count)} of ${formatNumber(length)} ${word}`;
  return { state: running.length > 0 && trouble.state === 'stopped' ? 'stopped' : trouble.state, word: told, reason: trouble.reason };
}
