'use client';

import { Skeleton } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import { IconArrowRight } from '@tabler/icons-react';
import { isHttp } from '@vrsky/contracts/pipeline-spec';
import dynamic from 'next/dynamic';
import { useRef, useState } from 'react';
import { MinuteChart } from '../../../ui/MinuteChart.tsx';
import { Panel } from '../../../ui/Panel.tsx';
import { findPart, placeOfProblem, pointerOf, updateDestination, updateSource } from '../draft.ts';
import { nextStep } from '../next-step.ts';
import type { DraftProblem, PipelineDetail } from '../types.ts';
import { ConnectorPartForm } from './ConnectorPartForm.tsx';
import { DestinationForm } from './DestinationForm.tsx';
import { DestinationNotices } from './DestinationNotices.tsx';
import { EditorHeader } from './EditorHeader.tsx';
import { OrderField } from './OrderField.tsx';
import { PartList } from './PartList.tsx';
import classes from './PipelineEditor.module.css';
import { PipelineMessages } from './PipelineMessages.tsx';
import { isStillBeingBuilt, ProblemList } from './ProblemList.tsx';
import { RefusalsNotice } from './RefusalsNotice.tsx';
import { RetryFields } from './RetryFields.tsx';
import { RolloutPanel } from './RolloutPanel.tsx';
import { SourceConnectorSelect } from './SourceConnectorSelect.tsx';
import { SourceForm } from './SourceForm.tsx';
import { StepSkeleton } from './step/StepSkeleton.tsx';
import { type PipelineDraftEditor, usePipelineDraft } from './use-pipeline-draft.ts';
import { type StepPlace, useStepPlace } from './use-step-place.ts';

// The canvas library comes when the page stands; the list beside it can already do everything.
const PipelineCanvas = dynamic(() => import('./PipelineCanvas.tsx').then((module) => module.PipelineCanvas), {
  ssr: false,
  loading: () => <Skeleton height={220} radius="lg" />,
});

// Code editor, TypeScript and engine come when a step is opened.
const StepWorkspace = dynamic(() => import('./step/StepWorkspace.tsx').then((module) => module.StepWorkspace), {
  ssr: false,
  loading: () => <StepSkeleton />,
});

/** A pipeline, or one of its steps in the whole window: the draft, its saving and its undo are the same. */
export function PipelineEditor({ pipeline }: { pipeline: PipelineDetail }) {
  const editor = usePipelineDraft(pipeline);
  const [place, go] = useStepPlace();
  const left = useRef<string | null>(null);
  const step = place && editor.draft.steps.find(({ id }) => id === place.step);
  useDocumentTitle(`${step ? `${step.name} · ` : ''}${pipeline.name} · VRSky`);
  if (step) {
    left.current = step.id;
    return <StepWorkspace key={step.id} pipeline={pipeline} editor={editor} step={step} fixture={place.fixture} onGo={go} />;
  }
  return <PipelineOverview pipeline={pipeline} editor={editor} left={left.current} onGo={go} />;
}

interface PipelineOverviewProps {
  pipeline: PipelineDetail;
  editor: PipelineDraftEditor;
  /** The step that one comes back from. */
  left: string | null;
  onGo: (to: StepPlace) => void;
}

function PipelineOverview({ pipeline, editor, left, onGo }: PipelineOverviewProps) {
  const [selectedId, setSelectedId] = useState(pipeline.draft.source.id);
  const found = findPart(editor.draft, selectedId);
  const selected = found && found.kind !== 'step' ? found : { kind: 'source' as const, part: editor.draft.source };
  /** The field that a problem led to. */
  const [focus, setFocus] = useState<{ path: string } | null>(null);
  const next = nextStep(pipeline, editor.draft, editor.problems.filter((problem) => !problem.warning).length);
  /** A step has a place of its own; the others are edited beside the list. */
  const select = (id: string, kind = findPart(editor.draft, id)?.kind, fixture: number | null = null) => {
    if (kind === 'step') onGo({ step: id, fixture });
    else {
      setSelectedId(id);
      setFocus(null);
    }
  };

  return (
    <>
      <EditorHeader pipeline={pipeline} editor={editor} />
      {next && (
        <p className={classes.next} role="status">
          <IconArrowRight size={15} aria-hidden />
          <span>
            <b>Next:</b> {next}
          </span>
        </p>
      )}
      <ProblemList
        problems={editor.problems.filter((problem) => !isStillBeingBuilt(problem, pipeline))}
        draft={editor.draft}
        onSelect={(problem) => {
          const to = placeOfProblem(problem);
          if (!to) return;
          select(to.partId, undefined, to.fixture);
          setFocus({ path: problem.path });
        }}
      />
      <DestinationNotices pipelineId={pipeline.id} draft={editor.draft} />
      <RefusalsNotice pipelineId={pipeline.id} source={editor.draft.source} />
      <PipelineCanvas pipeline={pipeline} draft={editor.draft} problems={editor.problems} selectedId={selected.part.id} onSelect={select} />
      <div className={classes.work}>
        <PartList pipeline={pipeline} editor={editor} selectedId={selected.part.id} focusId={left} onSelect={select} />
        <div className={classes.form}>
          <SelectedForm selected={selected} pipeline={pipeline} editor={editor} focus={focus} />
        </div>
      </div>
      <div className={classes.below}>
        <Panel title="Messages a minute">
          <MinuteChart points={pipeline.perMinute} height={150} />
        </Panel>
        <RolloutPanel pipeline={pipeline} />
      </div>
      <PipelineMessages pipelineId={pipeline.id} />
    </>
  );
}

interface SelectedFormProps {
  selected: Exclude<NonNullable<ReturnType<typeof findPart>>, { kind: 'step' }>;
  pipeline: PipelineDetail;
  editor: PipelineDraftEditor;
  focus: { path: string } | null;
}

function SelectedForm({ selected, pipeline, editor, focus }: SelectedFormProps) {
  const { draft, edit, problems } = editor;
  const { part } = selected;
  const own = problems.filter((problem) => problem.partId === part.id);
  const common = { at: pointerOf(draft, part.id), problems: own, focus };
  if (selected.kind === 'source') {
    const before = <SourceConnectorSelect source={selected.part} pipeline={pipeline} onChange={(source) => edit({ ...draft, source })} />;
    const onChange = (change: object) => edit(updateSource(draft, change));
    if (isHttp(selected.part)) return <SourceForm key={part.id} source={selected.part} pipeline={pipeline} {...common} onChange={onChange} before={before} />;
    return <ConnectorPartForm key={`${part.id} ${part.connector}`} part={part} connectorRole="source" {...common} onChange={onChange} before={before} />;
  }
  const onChange = (change: object) => edit(updateDestination(draft, part.id, change));
  if (isHttp(selected.part))
    return <DestinationForm key={part.id} destination={selected.part} {...common} receiverUrl={pipeline.receiverUrl} onChange={onChange} />;
  return (
    <ConnectorPartForm
      key={part.id}
      part={part}
      connectorRole="destination"
      {...common}
      onChange={onChange}
      after={
        <>
          <RetryFields retry={selected.part.retry} errors={retryErrors(common)} onChange={(retry) => onChange({ retry })} />
          <OrderField order={selected.part.order} onChange={(order) => onChange({ order })} />
        </>
      }
    />
  );
}

function retryErrors({ problems, at }: { problems: DraftProblem[]; at: string }): Map<string, string> {
  return new Map(problems.map((problem) => [problem.path.slice(at.length + 1), problem.message]));
}
