'use client';

import { Skeleton } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import { IconArrowRight } from '@tabler/icons-react';
import dynamic from 'next/dynamic';
import { useState } from 'react';
import { MinuteChart } from '../../../ui/MinuteChart.tsx';
import { Panel } from '../../../ui/Panel.tsx';
import { findPart, updateDestination, updateSource, updateStep } from '../draft.ts';
import { nextStep } from '../next-step.ts';
import type { DraftProblem, PipelineDetail } from '../types.ts';
import { DestinationForm } from './DestinationForm.tsx';
import { EditorHeader } from './EditorHeader.tsx';
import { PartList } from './PartList.tsx';
import classes from './PipelineEditor.module.css';
import { PipelineMessages } from './PipelineMessages.tsx';
import { ProblemList } from './ProblemList.tsx';
import { RolloutPanel } from './RolloutPanel.tsx';
import { SourceForm } from './SourceForm.tsx';
import { StepForm } from './StepForm.tsx';
import { type PipelineDraftEditor, usePipelineDraft } from './use-pipeline-draft.ts';

// The canvas library comes when the page stands; the list beside it can already do everything.
const PipelineCanvas = dynamic(() => import('./PipelineCanvas.tsx').then((module) => module.PipelineCanvas), {
  ssr: false,
  loading: () => <Skeleton height={220} radius="lg" />,
});

export function PipelineEditor({ pipeline }: { pipeline: PipelineDetail }) {
  useDocumentTitle(`${pipeline.name} · VRSky`);
  const editor = usePipelineDraft(pipeline);
  const [selectedId, setSelectedId] = useState(pipeline.draft.source.id);
  const selected = findPart(editor.draft, selectedId) ?? { kind: 'source' as const, part: editor.draft.source };
  const next = nextStep(pipeline, editor.draft, editor.problems.length);

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
      <ProblemList problems={editor.problems.filter((problem) => !isStillBeingBuilt(problem, pipeline))} onSelect={setSelectedId} />
      <PipelineCanvas pipeline={pipeline} draft={editor.draft} problems={editor.problems} selectedId={selected.part.id} onSelect={setSelectedId} />
      <div className={classes.work}>
        <PartList pipeline={pipeline} editor={editor} selectedId={selected.part.id} onSelect={setSelectedId} />
        <div className={classes.form}>
          <SelectedForm selected={selected} pipeline={pipeline} editor={editor} />
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

/** A draft without a destination is unfinished, not wrong: the line above already says what comes next. */
function isStillBeingBuilt(problem: DraftProblem, pipeline: PipelineDetail): boolean {
  return pipeline.publishedRevision === null && problem.path === '/destinations';
}

interface SelectedFormProps {
  selected: NonNullable<ReturnType<typeof findPart>>;
  pipeline: PipelineDetail;
  editor: PipelineDraftEditor;
}

function SelectedForm({ selected, pipeline, editor }: SelectedFormProps) {
  const { draft, edit, problems } = editor;
  if (selected.kind === 'source') {
    return <SourceForm source={selected.part} pipeline={pipeline} onChange={(change) => edit(updateSource(draft, change))} />;
  }
  if (selected.kind === 'step') {
    return (
      <StepForm key={selected.part.id} step={selected.part} pipelineId={pipeline.id} onChange={(change) => edit(updateStep(draft, selected.part.id, change))} />
    );
  }
  return (
    <DestinationForm
      key={selected.part.id}
      destination={selected.part}
      problems={problems.filter((problem) => problem.partId === selected.part.id)}
      receiverUrl={pipeline.receiverUrl}
      onChange={(change) => edit(updateDestination(draft, selected.part.id, change))}
    />
  );
}
