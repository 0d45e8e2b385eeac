'use client';

import { Stack, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMutation, useQuery } from '@tanstack/react-query';
import type { StepSpec } from '@vrsky/contracts/pipeline-spec';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { formatCount } from '../../../ui/format.ts';
import { CodeEditor } from './CodeEditor.tsx';
import classes from './PipelineEditor.module.css';
import { SamplePane } from './SamplePane.tsx';

interface StepFormProps {
  step: StepSpec;
  pipelineId: string;
  onChange: (change: Partial<StepSpec>) => void;
}

const CHECK_AFTER_MS = 350;

/** A step's TypeScript with its errors at their line, beside a sample and what the step makes of it. */
export function StepForm({ step, pipelineId, onChange }: StepFormProps) {
  const trpc = useTRPC();
  // A mutation only because code is too long for a URL: it changes nothing and is cached like a query.
  const { mutateAsync: checkStep } = useMutation(trpc.pipelines.checkStep.mutationOptions());
  const [source] = useDebouncedValue(step.source, CHECK_AFTER_MS);
  const check = useQuery({
    queryKey: ['check-step', step.kind, source],
    queryFn: () => checkStep({ kind: step.kind, source }),
    placeholderData: (before) => before,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const problems = check.data ?? [];
  const errors = problems.filter((problem) => problem.severity === 'error');

  return (
    <section aria-label={`Step ${step.name}`}>
      <h2 className={classes.formTitle}>{step.kind === 'convert' ? 'Convert' : 'Filter'} with TypeScript</h2>
      <p className={classes.formLead}>
        {step.kind === 'convert'
          ? 'Return what goes on: text, bytes, or any value, which is sent as JSON.'
          : 'Return true to let the message pass. A sentence instead stops it and is shown as the reason.'}
      </p>
      <div className={classes.step}>
        <Stack gap="sm" miw={0}>
          <TextInput
            label="Name"
            value={step.name}
            onChange={(event) => onChange({ name: event.currentTarget.value })}
            maxLength={80}
            error={step.name.trim() === '' ? 'Give it a name' : undefined}
          />
          <div>
            <p className={classes.label}>TypeScript</p>
            <CodeEditor
              value={step.source}
              label={`TypeScript of ${step.name}`}
              language="typescript"
              problems={problems}
              onChange={(value) => onChange({ source: value })}
            />
            <div className={classes.checks} role="status" aria-live="polite">
              {check.isError
                ? 'The code could not be checked: the console does not answer.'
                : check.isPending || source !== step.source
                  ? 'Checking…'
                  : errors.length === 0
                    ? 'No problems found'
                    : formatCount(errors.length, 'error')}
              {source === step.source &&
                problems.map((problem) => (
                  <div key={`${problem.line}:${problem.column} ${problem.message}`} data-severity={problem.severity}>
                    Line {problem.line}: {problem.message}
                  </div>
                ))}
            </div>
          </div>
        </Stack>
        <SamplePane
          step={step}
          source={source}
          pipelineId={pipelineId}
          runnable={check.isSuccess && errors.length === 0 && source === step.source}
          onSample={(sample) => onChange({ sample })}
        />
      </div>
    </section>
  );
}
