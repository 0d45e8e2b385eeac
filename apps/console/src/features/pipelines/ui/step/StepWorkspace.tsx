'use client';

import { useQueryClient } from '@tanstack/react-query';
import type { StepSpec } from '@vrsky/contracts/pipeline-spec';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useNeeds, useSession } from '../../../tenancy/api.tsx';
import { placeOfProblem, updateStep } from '../../draft.ts';
import type { PipelineDetail } from '../../types.ts';
import { fixtureMessage, typedMessage } from '../../workbench/messages.ts';
import { isStillBeingBuilt, ProblemList } from '../ProblemList.tsx';
import type { PipelineDraftEditor } from '../use-pipeline-draft.ts';
import type { StepPlace } from '../use-step-place.ts';
import { CodePane } from './CodePane.tsx';
import { InputPane } from './InputPane.tsx';
import { ResultPane } from './ResultPane.tsx';
import classes from './Step.module.css';
import { StepBar } from './StepBar.tsx';
import { firstSample, type SampleFacts, typedFacts } from './sample.ts';
import { useBench } from './use-bench.ts';
import { useWorkbench, useWorkerState } from './use-workbench.ts';

interface StepWorkspaceProps {
  pipeline: PipelineDetail;
  editor: PipelineDraftEditor;
  step: StepSpec;
  /** Which fixture is looked at; null is the sample. */
  fixture: number | null;
  onGo: (to: StepPlace | null) => void;
}

/** One step with everything that it takes to write it: what comes in, the code, what goes out and what that costs. Nothing here needs a node. */
export function StepWorkspace({ pipeline, editor, step, fixture: asked, onGo }: StepWorkspaceProps) {
  const queryClient = useQueryClient();
  const session = useSession();
  const readOnly = useNeeds('pipeline.write') !== null;
  const root = useRef<HTMLElement>(null);
  // The keyboard starts at the way back, then name, input, code and output, in the order in which they stand.
  useEffect(() => root.current?.focus({ preventScroll: true }), []);
  const [facts, setFacts] = useState<SampleFacts>(typedFacts);
  const [goTo, setGoTo] = useState<{ line: number; column: number } | null>(null);
  const workbench = useWorkbench();
  const runner = useWorkerState(workbench?.runner);
  const language = useWorkerState(workbench?.language);

  const index = asked !== null && step.fixtures?.[asked] ? asked : null;
  const fixture = index === null ? null : (step.fixtures?.[index] ?? null);
  const sample = step.sample ?? firstSample;
  const input = useMemo(
    () => fixture?.input ?? { payload: sample, encoding: 'utf8' as const, contentType: facts.contentType, headers: facts.headers },
    [fixture?.input, sample, facts],
  );
  const message = useMemo(
    () => (fixture ? fixtureMessage : (facts.message ?? typedMessage(session.tenant.id, pipeline.id))),
    [fixture, facts.message, session.tenant.id, pipeline.id],
  );
  const bench = useBench(workbench, { step, input, message });

  const change = (to: Partial<StepSpec>) => editor.edit(updateStep(editor.draft, step.id, to));
  const restart = () => {
    workbench?.runner.stop();
    workbench?.language.stop();
    for (const key of ['step-compile', 'step-check', 'step-run', 'step-fixtures']) void queryClient.resetQueries({ queryKey: [key] });
  };
  const selectFixture = (next: number | null) => onGo({ step: step.id, fixture: next });

  return (
    <section ref={root} tabIndex={-1} className={classes.workspace} data-room="whole" aria-label={`Step ${step.name}`}>
      <StepBar pipeline={pipeline} editor={editor} step={step} readOnly={readOnly} onChange={change} onGo={onGo} />
      <div className={classes.notes}>
        <ProblemList
          // What the code says of itself is beside the code.
          problems={editor.problems.filter((problem) => (problem.partId !== step.id || problem.code === undefined) && !isStillBeingBuilt(problem, pipeline))}
          draft={editor.draft}
          onSelect={(problem) => {
            const place = placeOfProblem(problem);
            onGo(place && editor.draft.steps.some(({ id }) => id === place.partId) ? { step: place.partId, fixture: place.fixture } : null);
          }}
        />
      </div>
      <div className={classes.columns}>
        <InputPane
          pipelineId={pipeline.id}
          draft={editor.draft}
          step={step}
          selected={index}
          input={input}
          facts={facts}
          bench={bench}
          problem={editor.problems.find(({ path, partId }) => partId === step.id && path.endsWith('/after'))?.message}
          readOnly={readOnly}
          onFacts={setFacts}
          onChange={change}
          onSelect={selectFixture}
        />
        <CodePane step={step} bench={bench} workbench={workbench} readOnly={readOnly} goTo={goTo} onGoTo={setGoTo} onChange={change} />
        <ResultPane
          key={index ?? 'sample'}
          step={step}
          selected={index}
          input={input}
          bench={bench}
          states={{ runner, language }}
          readOnly={readOnly}
          onRestart={restart}
          onGoTo={setGoTo}
          onChange={change}
        />
      </div>
    </section>
  );
}
