'use client';

import { Button, Menu } from '@mantine/core';
import { IconArrowForwardUp } from '@tabler/icons-react';
import type { DestinationSpec } from '@vrsky/contracts/pipeline-spec';
import { stageParts, updateDestination } from '../draft.ts';
import type { PipelineDetail } from '../types.ts';
import { type OnAddPart, UseAnswerItems } from './AddPartItems.tsx';
import classes from './PipelineEditor.module.css';
import { TakesSelect } from './TakesSelect.tsx';
import type { PipelineDraftEditor } from './use-pipeline-draft.ts';

interface AnswerSectionProps {
  destination: DestinationSpec;
  pipeline: PipelineDetail;
  editor: PipelineDraftEditor;
  /** Why its input cannot be what it is. */
  error: string | undefined;
  focus: { path: string } | null;
  onAdd: OnAddPart;
  onSelect: (id: string) => void;
}

/** What a destination takes, and what becomes of its receiver's answer. */
export function AnswerSection({ destination, pipeline, editor, error, focus, onAdd, onSelect }: AnswerSectionProps) {
  const { draft, edit } = editor;
  const takers = stageParts(draft, destination.id);
  return (
    <section className={classes.answer} aria-label={`Input and answer of ${destination.name}`}>
      <TakesSelect
        draft={draft}
        part={destination}
        error={error}
        focus={focus}
        onChange={(change) => edit(updateDestination(draft, destination.id, change as Partial<DestinationSpec>))}
      />
      <h3 className={classes.label}>Answer</h3>
      <p className={classes.help}>
        {takers.length === 0
          ? 'The first KiB of the receiver’s answer is kept in the trail, and nothing else is done with it.'
          : 'The receiver’s answer, up to 1 MiB, is a new message for what comes next:'}
      </p>
      {takers.length > 0 && (
        <ul className={classes.takers}>
          {takers.map(({ part }) => (
            <li key={part.id}>
              <Button variant="default" size="compact-sm" onClick={() => onSelect(part.id)}>
                {part.name}
              </Button>
            </li>
          ))}
        </ul>
      )}
      <Menu position="bottom-start" width={280}>
        <Menu.Target>
          <Button variant="default" mt={8} leftSection={<IconArrowForwardUp size={15} aria-hidden />}>
            {takers.length === 0 ? 'Use the answer' : 'Use the answer for more'}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <UseAnswerItems draft={draft} receiverUrl={pipeline.receiverUrl} of={destination} onAdd={onAdd} />
        </Menu.Dropdown>
      </Menu>
    </section>
  );
}
