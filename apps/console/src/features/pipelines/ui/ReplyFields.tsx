'use client';

import { Group, NumberInput, Select } from '@mantine/core';
import { limits } from '@vrsky/contracts/limits';
import { type PipelineDraft, type ReplySpec, STEPS_REPLY } from '@vrsky/contracts/pipeline-spec';
import { useEffect, useRef } from 'react';
import { useCanReply } from '../../connectors/api.tsx';
import type { DraftProblem } from '../types.ts';

interface ReplyFieldsProps {
  draft: Pick<PipelineDraft, 'source' | 'destinations' | 'reply'>;
  problems: DraftProblem[];
  /** The field that is to have the keyboard, as a JSON Pointer into the draft; a new object each time. */
  focus: { path: string } | null;
  onChange: (reply: ReplySpec | undefined) => void;
}

/** No id of a destination has a star. */
const STORED = '*stored';

/** What a sender is answered with, where its connector can wait for that. */
export function ReplyFields({ draft, problems, focus, onChange }: ReplyFieldsProps) {
  const { source, destinations, reply } = draft;
  const canReply = useCanReply(source.connector);
  const select = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (focus?.path.startsWith('/reply')) select.current?.focus();
  }, [focus]);
  if (!canReply && reply === undefined) return null;
  const withinMs = reply?.withinMs ?? limits.replyMsDefault;
  const isMissing = reply !== undefined && reply.from !== STEPS_REPLY && destinations.every(({ id }) => id !== reply.from);
  const errorAt = (path: string) => problems.find((problem) => problem.path === path)?.message;
  return (
    <Group gap="md" align="flex-start">
      <Select
        ref={select}
        label="Answer the sender with"
        description={reply === undefined ? undefined : 'The sender waits. When there is nothing in time it gets 202, and its message goes on.'}
        inputWrapperOrder={['label', 'input', 'error', 'description']}
        data={[
          { value: STORED, label: 'Its message id, once it is stored' },
          { value: STEPS_REPLY, label: 'The result of the steps' },
          ...destinations.map(({ id, name }) => ({ value: id, label: `The answer of ${name}` })),
          ...(isMissing ? [{ value: reply.from, label: `The answer of ${reply.from}, which is gone` }] : []),
        ]}
        value={reply?.from ?? STORED}
        onChange={(from) => onChange(from === null || from === STORED ? undefined : { from, withinMs })}
        allowDeselect={false}
        error={errorAt('/reply/from') ?? (isMissing ? 'This destination is no longer part of the pipeline: choose another one' : undefined)}
        style={{ flex: '1 1 300px' }}
      />
      {reply !== undefined && (
        <NumberInput
          label="Wait at most"
          suffix=" s"
          min={limits.replyMsMin / 1_000}
          max={limits.replyMsMax / 1_000}
          decimalScale={1}
          value={withinMs / 1_000}
          onChange={(value) => typeof value === 'number' && onChange({ ...reply, withinMs: Math.round(value * 1_000) })}
          error={errorAt('/reply/withinMs')}
          w={130}
        />
      )}
    </Group>
  );
}
