'use client';

import { Button, Loader, SegmentedControl } from '@mantine/core';
import { IconCheck, IconFilter, IconX } from '@tabler/icons-react';
import type { StepSpec } from '@vrsky/contracts/pipeline-spec';
import { type ReactNode, useState } from 'react';
import { JsonDiff } from '../../../../ui/JsonDiff.tsx';
import { prettyText } from '../../../../ui/pretty-text.ts';
import { StateBadge } from '../../../../ui/StateBadge.tsx';
import type { BenchInput, BenchRun } from '../../workbench/bench-types.ts';
import type { WorkerState } from '../../workbench/worker-client.ts';
import { CostPanel } from './CostPanel.tsx';
import { ExpectPane } from './ExpectPane.tsx';
import classes from './Step.module.css';
import type { Bench } from './use-bench.ts';

interface ResultPaneProps {
  step: StepSpec;
  /** null: the sample. */
  selected: number | null;
  input: BenchInput;
  bench: Bench;
  states: { runner: WorkerState; language: WorkerState };
  readOnly: boolean;
  onRestart: () => void;
  onGoTo: (place: { line: number; column: number }) => void;
  onChange: (change: Partial<StepSpec>) => void;
}

type View = 'changes' | 'output' | 'expected';

/** What the step makes of the input, beside what it got or what a fixture expects, and what that costs. */
export function ResultPane(props: ResultPaneProps) {
  const { step, selected, bench } = props;
  const [view, setView] = useState<View>(selected === null ? 'changes' : 'expected');
  const { run } = bench;
  return (
    <section className={classes.column} data-part="result" aria-label="Result">
      <div className={classes.head}>
        <h2>Output</h2>
        {run && <Outcome run={run} kind={step.kind} />}
        {run && bench.isStale && bench.problems.length > 0 && <span className={classes.dim}>before the error</span>}
        <div className={classes.end}>
          {bench.isStale && run && bench.problems.length === 0 && <Loader size={12} aria-label="Running" />}
          <SegmentedControl
            size="xs"
            aria-label="What to show of the output"
            value={view}
            onChange={(value) => setView(value as View)}
            data={[
              { value: 'changes', label: 'Changes' },
              { value: 'output', label: 'Output' },
              ...(selected === null ? [] : [{ value: 'expected', label: 'Expected' }]),
            ]}
          />
        </div>
      </div>
      <div className={classes.result} aria-live="polite">
        <Body {...props} view={view} />
      </div>
      <CostPanel run={run} />
    </section>
  );
}

function Outcome({ run, kind }: { run: BenchRun; kind: StepSpec['kind'] }) {
  const word = run.result === 'ok' ? (kind === 'filter' ? 'Passes' : 'Converted') : undefined;
  return <StateBadge state={run.result} {...(word && { word })} />;
}

function Body(props: ResultPaneProps & { view: View }) {
  const { step, selected, input, bench, states, view, readOnly, onRestart, onGoTo, onChange } = props;
  const { run, runFailed, problems } = bench;
  const broken = [states.runner, states.language].find((state) => state.kind === 'failed');
  if (broken?.kind === 'failed') {
    return (
      <Wait>
        <IconX size={20} aria-hidden />
        <p role="alert">The step cannot be run in this page. {broken.message}</p>
        <Button variant="default" onClick={onRestart}>
          Restart the engine
        </Button>
      </Wait>
    );
  }
  if (runFailed !== null) {
    return (
      <p className={classes.reason} data-tone="bad" role="status">
        {runFailed} The engine was started anew: change the code and it runs again.
      </p>
    );
  }
  if (view === 'expected' && selected !== null) {
    return <ExpectPane step={step} index={selected} bench={bench} readOnly={readOnly} onChange={onChange} />;
  }
  if (!run) {
    if (step.source === '')
      return <Wait>{step.language === 'wasm' ? <p>It runs as soon as there is a module.</p> : <p>It runs as soon as there is code.</p>}</Wait>;
    if (problems.length > 0) return <Wait>{<p>It runs as soon as the code can be read.</p>}</Wait>;
    return (
      <Wait>
        <Loader size={18} aria-hidden />
        <p role="status">
          {states.runner.kind === 'ready' && states.language.kind === 'ready' ? 'Running…' : 'Loading the engine and TypeScript into this page…'}
        </p>
      </Wait>
    );
  }
  return (
    <>
      <Reason run={run} kind={step.kind} onGoTo={onGoTo} />
      {run.output && (step.kind === 'convert' || view === 'output') && <Output run={run} input={input} view={view} name={step.name} />}
    </>
  );
}

function Reason({ run, kind, onGoTo }: { run: BenchRun; kind: StepSpec['kind']; onGoTo: ResultPaneProps['onGoTo'] }) {
  if (run.result === 'ok') {
    return kind === 'filter' ? (
      <p className={classes.reason} data-tone="good">
        <IconCheck size={14} aria-hidden style={{ verticalAlign: '-2px' }} /> The message goes on as it came.
      </p>
    ) : null;
  }
  if (run.result === 'filtered') {
    return (
      <p className={classes.reason}>
        <IconFilter size={14} aria-hidden style={{ verticalAlign: '-2px' }} /> Filtered{run.reason ? `: ${run.reason}` : ''}
        {run.route && ` (route ${run.route})`}
      </p>
    );
  }
  const { line, column } = run;
  return (
    <p className={classes.reason} data-tone="bad">
      {line !== null && (
        <>
          <button type="button" onClick={() => onGoTo({ line, column: column ?? 1 })}>
            Line {line}
          </button>
          {': '}
        </>
      )}
      {run.reason}
    </p>
  );
}

function Output({ run: { output }, input, view, name }: { run: BenchRun; input: BenchInput; view: View; name: string }) {
  if (!output) return null;
  if (output.bytes === 0) return <p className={classes.output}>The output is empty.</p>;
  if (view === 'changes' && input.encoding === 'utf8' && output.text !== null) {
    return <JsonDiff before={input.payload} after={output.text} label={`What ${name} changed`} fill />;
  }
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section tabIndex={0} aria-label="output">
      <pre className={classes.output}>{output.text === null ? output.base64 : prettyText(output.text)}</pre>
      {output.text === null && <p className={classes.output}>Not text ({output.contentType || 'no content type'}): shown in Base64.</p>}
    </section>
  );
}

function Wait({ children }: { children: ReactNode }) {
  return <div className={classes.wait}>{children}</div>;
}
