'use client';

import { Select } from '@mantine/core';
import type { DestinationSpec, PipelineDraft, StepSpec } from '@vrsky/contracts/pipeline-spec';
import { useEffect, useRef } from 'react';
import { answersFor } from '../draft.ts';

interface TakesSelectProps {
  draft: PipelineDraft;
  part: StepSpec | DestinationSpec;
  error: string | undefined;
  /** A new object each time that a problem leads here. */
  focus?: { path: string } | null;
  readOnly?: boolean;
  size?: 'xs' | 'sm';
  onChange: (change: { after: string | undefined }) => void;
}

const SOURCE = '';

/** The input of a part: what comes in, or the answer of a destination. Not there while there is nothing to choose. */
export function TakesSelect({ draft, part, error, focus = null, readOnly = false, size = 'sm', onChange }: TakesSelectProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (focus?.path.endsWith('/after')) input.current?.focus();
  }, [focus]);
  const answers = answersFor(draft, part.id);
  if (answers.length === 0 && part.after === undefined) return null;
  const data = [
    { value: SOURCE, label: 'What comes in' },
    ...answers.map(({ id, name }) => ({ value: id, label: `The answer of “${name}”` })),
    ...(part.after !== undefined && answers.every(({ id }) => id !== part.after) ? [{ value: part.after, label: `The answer of ${part.after}` }] : []),
  ];
  return (
    <Select
      ref={input}
      label="Takes"
      size={size}
      maw={420}
      data={data}
      value={part.after ?? SOURCE}
      onChange={(value) => onChange({ after: value === null || value === SOURCE ? undefined : value })}
      allowDeselect={false}
      readOnly={readOnly}
      error={error}
    />
  );
}
