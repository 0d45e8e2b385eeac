'use client';

import { IconAlertTriangle, IconInfoCircle } from '@tabler/icons-react';
import { isHttp, type PipelineDraft } from '@vrsky/contracts/pipeline-spec';
import { fieldWords } from '../../connectors/api.tsx';
import { findPart } from '../draft.ts';
import type { DraftProblem, PipelineDetail } from '../types.ts';
import classes from './PipelineEditor.module.css';

interface ProblemListProps {
  problems: DraftProblem[];
  draft: PipelineDraft;
  onSelect: (problem: DraftProblem) => void;
}

/** Why the draft cannot be published, then what is only good to know; each line a way to the part it is about. */
export function ProblemList({ problems, draft, onSelect }: ProblemListProps) {
  const [blocking, warnings] = [problems.filter((problem) => !problem.warning), problems.filter((problem) => problem.warning)];
  return (
    <>
      {blocking.length > 0 && (
        <section className={classes.problems} aria-label="Problems of the draft">
          <IconAlertTriangle size={16} aria-hidden />
          <Lines problems={blocking} draft={draft} onSelect={onSelect} />
        </section>
      )}
      {warnings.length > 0 && (
        <section className={classes.problems} data-warning aria-label="Good to know before publishing">
          <IconInfoCircle size={16} aria-hidden />
          <Lines problems={warnings} draft={draft} onSelect={onSelect} />
        </section>
      )}
    </>
  );
}

function Lines({ problems, draft, onSelect }: ProblemListProps) {
  return (
    <ul>
      {problems.map((problem) => (
        <li key={`${problem.path} ${problem.message}`}>
          {problem.partId === null ? (
            problem.message
          ) : (
            <button type="button" onClick={() => onSelect(problem)}>
              <b>{problem.partId}</b>: {[fieldOf(draft, problem), problem.message].filter(Boolean).join(': ')}
              {problem.code?.[0] ? ` (line ${problem.code[0].line}: ${problem.code[0].message})` : ''}
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

/** Of a connector's settings; what the contract says of an HTTP destination names its field itself. */
function fieldOf(draft: PipelineDraft, { path, partId }: DraftProblem): string | null {
  const pointer = /^\/(?:source|destinations\/\d+)\/settings(\/.*)$/.exec(path)?.[1];
  const found = partId === null ? null : findPart(draft, partId);
  if (pointer === undefined || !found || found.kind === 'step') return null;
  if (found.kind === 'destination' && isHttp(found.part) && /^\/(?:url|method|headers|timeoutMs)(?:\/|$)/.test(pointer)) return null;
  return fieldWords(pointer);
}

/** A draft without a destination is unfinished, not wrong: the line above already says what comes next. */
export function isStillBeingBuilt(problem: DraftProblem, pipeline: PipelineDetail): boolean {
  return pipeline.publishedRevision === null && problem.path === '/destinations';
}
