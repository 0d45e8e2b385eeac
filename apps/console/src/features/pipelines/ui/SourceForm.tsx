'use client';

import { Stack, TextInput } from '@mantine/core';
import type { SourceSpec } from '@vrsky/contracts/pipeline-spec';
import type { ReactNode } from 'react';
import { CodeBlock } from '../../../ui/CodeBlock.tsx';
import { CopyButton } from '../../../ui/CopyButton.tsx';
import { curlLine } from '../curl-line.ts';
import type { PipelineDetail } from '../types.ts';
import classes from './PipelineEditor.module.css';

interface SourceFormProps {
  source: SourceSpec;
  pipeline: PipelineDetail;
  onChange: (change: Partial<SourceSpec>) => void;
  /** Above its fields, such as the choice of another connector. */
  before?: ReactNode;
}

export function SourceForm({ source, pipeline, onChange, before }: SourceFormProps) {
  const published = pipeline.publishedRevision !== null;
  return (
    <section aria-label="Source">
      <h2 className={classes.formTitle}>HTTP in</h2>
      <p className={classes.formLead}>
        {published
          ? 'Answers 202 with a message id once the message is stored on disk, never before. Whoever knows the URL can send: treat it like a password.'
          : 'The URL is yours already. It answers 404 until the pipeline is published.'}
      </p>
      <Stack gap="md">
        {before}
        <TextInput
          label="URL"
          value={pipeline.ingestUrl}
          readOnly
          rightSection={<CopyButton value={pipeline.ingestUrl} what="URL" />}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 'var(--mantine-font-size-sm)' } }}
          onFocus={(event) => event.currentTarget.select()}
        />
        <TextInput
          label="Name"
          value={source.name}
          onChange={(event) => onChange({ name: event.currentTarget.value })}
          maxLength={80}
          error={source.name.trim() === '' ? 'Give it a name' : undefined}
        />
        <div>
          <p className={classes.label}>Try it from a terminal</p>
          <CodeBlock code={curlLine(pipeline.ingestUrl, pipeline.draft.steps[0]?.sample)} what="curl line" wrap />
        </div>
      </Stack>
    </section>
  );
}
