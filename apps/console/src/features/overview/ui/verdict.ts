import { formatCount } from '../../../ui/format.ts';
import { fillMinutes, sumOf } from '../../../ui/minutes.ts';
import type { OverviewView } from '../types.ts';

export interface Finding {
  tone: 'bad' | 'wait';
  text: string;
  place: { kind: 'pipeline'; id: string } | { kind: 'nodes' } | { kind: 'dead_letters' } | { kind: 'retrying' };
}

export interface Verdict {
  tone: 'good' | 'wait' | 'bad' | 'quiet';
  title: string;
  detail: string;
  findings: Finding[];
}

/** Is it all right? One sentence, and each thing that is not, with where to look. */
export function verdictOf(view: OverviewView, nowMs: number): Verdict {
  const findings = [...nodeFindings(view), ...pipelineFindings(view), ...deliveryFindings(view)];
  const bad = findings.filter((finding) => finding.tone === 'bad').length;
  const running = view.pipelines.filter((pipeline) => pipeline.publishedRevision !== null);
  const messages = sumOf(fillMinutes(view.perMinute, nowMs));
  const detail = `${formatCount(running.length, 'published pipeline')} on ${formatCount(view.nodes.filter((node) => node.liveness === 'live').length, 'live node')}, ${formatCount(messages, 'message')} in the last hour.`;
  if (bad > 0) return { tone: 'bad', title: bad === 1 ? 'One thing needs you' : `${bad} things need you`, detail, findings };
  if (findings.length > 0) return { tone: 'wait', title: 'Running, with something to watch', detail, findings };
  if (running.length === 0) return { tone: 'quiet', title: 'Nothing is published yet', detail: 'Publish a pipeline and its messages show here.', findings };
  return { tone: 'good', title: 'Everything is running', detail, findings };
}

function nodeFindings({ nodes }: OverviewView): Finding[] {
  const findings: Finding[] = [];
  if (nodes.length > 0 && nodes.every((node) => node.liveness !== 'live'))
    findings.push({ tone: 'bad', text: 'No node answers: messages may be neither accepted nor delivered.', place: { kind: 'nodes' } });
  else
    for (const node of nodes)
      if (node.liveness !== 'live')
        findings.push({ tone: 'wait', text: `Node ${node.name} is ${node.liveness}; the others carry on.`, place: { kind: 'nodes' } });
  for (const node of nodes)
    if (node.rejected)
      findings.push({ tone: 'bad', text: `Node ${node.name} refused the newest configuration: ${node.rejected.reason}`, place: { kind: 'nodes' } });
  return findings;
}

function pipelineFindings({ pipelines, nodes }: OverviewView): Finding[] {
  // Without a node no pipeline runs: that is said once.
  if (nodes.every((node) => node.liveness !== 'live')) return [];
  return pipelines.flatMap((pipeline): Finding[] => {
    const place = { kind: 'pipeline', id: pipeline.id } as const;
    if (pipeline.state === 'failed') return [{ tone: 'bad', text: `No node runs ${pipeline.name}.`, place }];
    if (pipeline.state === 'degraded') return [{ tone: 'wait', text: `Not every node runs ${pipeline.name}.`, place }];
    return [];
  });
}

function deliveryFindings({ deadLettersLastDay, newest }: OverviewView): Finding[] {
  const findings: Finding[] = [];
  if (deadLettersLastDay > 0)
    findings.push({ tone: 'wait', text: `${formatCount(deadLettersLastDay, 'dead letter')} in the last 24 hours.`, place: { kind: 'dead_letters' } });
  const retrying = newest.filter((message) => message.state === 'retrying').length;
  if (retrying > 0)
    findings.push({ tone: 'wait', text: `${retrying} of the newest messages ${retrying === 1 ? 'is' : 'are'} being retried.`, place: { kind: 'retrying' } });
  return findings;
}
