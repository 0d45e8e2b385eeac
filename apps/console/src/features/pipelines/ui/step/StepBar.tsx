'use client';

import { ActionIcon, Anchor, TextInput, Tooltip } from '@mantine/core';
import { IconArrowLeft, IconChevronLeft, IconChevronRight } from '@tabler/icons-react';
import type { StepSpec } from '@vrsky/contracts/pipeline-spec';
import { partsOf } from '../../draft.ts';
import type { PipelineDetail } from '../../types.ts';
import { EditorActions } from '../EditorHeader.tsx';
import type { PipelineDraftEditor } from '../use-pipeline-draft.ts';
import type { StepPlace } from '../use-step-place.ts';
import classes from './Step.module.css';

interface StepBarProps {
  pipeline: PipelineDetail;
  editor: PipelineDraftEditor;
  step: StepSpec;
  readOnly: boolean;
  onChange: (change: Partial<StepSpec>) => void;
  onGo: (to: StepPlace | null) => void;
}

/** The way back, which step it is, and the way out to the nodes. */
export function StepBar({ pipeline, editor, step, readOnly, onChange, onGo }: StepBarProps) {
  const steps = partsOf(editor.draft).flatMap((item) => (item.kind === 'step' ? [item.part] : []));
  const at = steps.findIndex(({ id }) => id === step.id);
  const turn = (by: 1 | -1, word: string, icon: typeof IconChevronLeft) => {
    const to = steps[at + by];
    const TurnIcon = icon;
    return (
      <Tooltip label={to ? to.name : `There is no ${word.toLowerCase()}`}>
        <ActionIcon aria-label={word} size={24} disabled={!to} onClick={() => to && onGo({ step: to.id, fixture: null })}>
          <TurnIcon size={15} aria-hidden />
        </ActionIcon>
      </Tooltip>
    );
  };
  return (
    <header className={classes.bar}>
      <div className={classes.place}>
        <Anchor component="button" type="button" className={classes.pipeline} onClick={() => onGo(null)} title={`Back to ${pipeline.name}`}>
          <IconArrowLeft size={14} aria-hidden style={{ verticalAlign: '-2px', marginRight: 4 }} />
          {pipeline.name}
        </Anchor>
        <span className={classes.dim} aria-hidden>
          /
        </span>
        <h1 className="visually-hidden">
          {step.kind === 'convert' ? 'Convert step' : 'Filter step'} {step.name}
        </h1>
        <TextInput
          className={classes.name}
          aria-label="Name of the step"
          value={step.name}
          onChange={(event) => onChange({ name: event.currentTarget.value })}
          maxLength={80}
          readOnly={readOnly}
          error={step.name.trim() === ''}
        />
        {steps.length > 1 && (
          <span className={classes.turns}>
            {turn(-1, 'Previous step', IconChevronLeft)}
            Step {at + 1} of {steps.length}
            {turn(1, 'Next step', IconChevronRight)}
          </span>
        )}
      </div>
      <div className={classes.actions}>
        <EditorActions pipeline={pipeline} editor={editor} />
      </div>
    </header>
  );
}
