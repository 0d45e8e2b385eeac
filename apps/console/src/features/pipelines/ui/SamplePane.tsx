'use client';

import { Button, Loader } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconDownload } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { StepSpec } from '@vrsky/contracts/pipeline-spec';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { CodeBlock } from '../../../ui/CodeBlock.tsx';
import { formatBytes, formatMicros, formatNumber } from '../../../ui/format.ts';
import type { SampleRun } from '../types.ts';
import { CodeEditor } from './CodeEditor.tsx';
import classes from './PipelineEditor.module.css';

const RUN_AFTER_MS = 500;

const firstSample = `{
  "id": "A-1001",
  "status": "paid",
  "customer": { "first": "Ada", "last": "Lovelace" },
  "lines": [{ "sku": "SKU-1", "quantity": 2, "price": 9.99 }]
}`;

interface SamplePaneProps {
  step: StepSpec;
  /** The code that was checked. */
  source: string;
  pipelineId: string;
  runnable: boolean;
  onSample: (sample: string) => void;
}

/** A message to try the step on, and what a node makes of it: the same engine and the same count as in production. */
export function SamplePane({ step, source, pipelineId, runnable, onSample }: SamplePaneProps) {
  const trpc = useTRPC();
  const { mutateAsync: runSample } = useMutation(trpc.pipelines.runSample.mutationOptions());
  const sample = step.sample ?? firstSample;
  const [tried] = useDebouncedValue(sample, RUN_AFTER_MS);
  const run = useQuery({
    queryKey: ['run-sample', step.kind, source, tried],
    queryFn: () => runSample({ kind: step.kind, source, sample: tried }),
    enabled: runnable,
    placeholderData: (before) => before,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  return (
    <div className={classes.sample}>
      <div>
        <div className={classes.labelRow}>
          <p className={classes.label}>Sample message</p>
          <NewestMessageButton pipelineId={pipelineId} onSample={onSample} />
        </div>
        <CodeEditor value={sample} label="Sample message" language="json" minHeight={120} maxHeight={200} onChange={onSample} />
      </div>
      <div>
        <div className={classes.labelRow}>
          <p className={classes.label}>What the step makes of it</p>
          {run.isFetching && <Loader size={14} aria-label="Running the step on a node" />}
        </div>
        {run.isError ? (
          <p className={classes.sampleProblem} role="status">
            {toErrorView(run.error).message}
          </p>
        ) : run.data ? (
          <SampleResult run={run.data} kind={step.kind} />
        ) : (
          <p className={classes.sampleHint}>{runnable ? 'Running on a node…' : 'It runs as soon as the code has no errors.'}</p>
        )}
      </div>
    </div>
  );
}

function SampleResult({ run, kind }: { run: SampleRun; kind: StepSpec['kind'] }) {
  const cost = (
    <p className={classes.cost}>
      <span>
        <b className="tabular">{formatNumber(run.instructions)}</b> instructions
      </span>
      <span>{formatMicros(run.durationUs)}</span>
      {run.output && <span>{formatBytes(run.output.bytes)}</span>}
    </p>
  );
  return (
    <div role="status">
      {run.result === 'ok' &&
        (kind === 'filter' ? (
          <p className={classes.samplePass}>Passes</p>
        ) : (
          run.output && <CodeBlock code={pretty(run.output.text, run.output.contentType)} what="output" maxHeight={200} wrap />
        ))}
      {run.result === 'filtered' && <p className={classes.sampleStop}>Filtered: {run.reason}</p>}
      {(run.result === 'failed' || run.result === 'unavailable') && (
        <p className={classes.sampleProblem}>
          {run.line === null ? '' : `Line ${run.line}: `}
          {run.reason}
        </p>
      )}
      {run.result !== 'unavailable' && cost}
      {run.logs.length > 0 && <CodeBlock code={run.logs.join('\n')} what="log of the step" maxHeight={120} />}
    </div>
  );
}

function pretty(text: string, contentType: string): string {
  if (!contentType.includes('json')) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

function NewestMessageButton({ pipelineId, onSample }: { pipelineId: string; onSample: (sample: string) => void }) {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const load = useMutation({
    mutationFn: async () => {
      const page = await queryClient.fetchQuery(trpc.messages.list.queryOptions({ pipelineId, limit: 1 }));
      const newest = page.items[0];
      if (!newest) return 'This pipeline has not received a message yet.';
      const payloads = await queryClient.fetchQuery(trpc.messages.payloads.queryOptions({ id: newest.id }));
      if (!payloads.ok) return payloads.reason;
      if (payloads.input.text === null) return 'The newest message is not text.';
      onSample(pretty(payloads.input.text, payloads.input.contentType));
      return null;
    },
    onSuccess: (problem) => problem && notifications.show({ color: 'yellow', title: 'No sample taken', message: problem }),
    onError: (error) => notifications.show({ color: 'red', title: 'No sample taken', message: toErrorView(error).message }),
  });
  return (
    <Button variant="subtle" size="compact-xs" leftSection={<IconDownload size={13} aria-hidden />} loading={load.isPending} onClick={() => load.mutate()}>
      Take the newest message
    </Button>
  );
}
