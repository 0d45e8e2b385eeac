'use client';

import { IconAlertTriangle } from '@tabler/icons-react';
import type { DraftProblem, PipelineDetail } from '../types.ts';
import classes from './PipelineEditor.module.css';

/** Why the draft cannot be published, each line a way to the part it is about. */
export function ProblemList({ problems, onSelect }: { problems: DraftProblem[]; onSelect: (problem: DraftProblem) => void }) {
  if (problems.length === 0) return null;
  return (
    <section className={classes.problems} aria-label="Problems of the draft">
      <IconAlertTriangle size={16} aria-hidden />
      <ul>
        {problems.map((problem) => (
          <li key={`${problem.path} ${problem.message}`}>
            {problem.partId === null ? (
              problem.message
            ) : (
              <button type="button" onClick={() => onSelect(problem)}>
                <b>{problem.partId}</b>: {problem.message}
                {problem.code?.[0] ? ` (line ${problem.code[0].line}: ${problem.code[0].message})` : ''}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** A draft without a destination is unfinished, not wrong: the line above already says what comes next. */
export function isStillBeingBuilt(problem: DraftProblem, pipeline: PipelineDetail): boolean {
  return pipeline.publishedRevision === null && problem.path === '/destinations';
}
