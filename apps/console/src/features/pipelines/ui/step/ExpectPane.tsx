'use client';

import { Button, Select, TextInput } from '@mantine/core';
import { IconCheck } from '@tabler/icons-react';
import type { Fixture, StepSpec } from '@vrsky/contracts/pipeline-spec';
import { JsonDiff } from '../../../../ui/JsonDiff.tsx';
import { toExpectation, updateFixture } from '../../fixtures.ts';
import { CodeEditor } from '../CodeEditor.tsx';
import classes from './Step.module.css';
import type { Bench } from './use-bench.ts';

interface ExpectPaneProps {
  step: StepSpec;
  index: number;
  bench: Bench;
  readOnly: boolean;
  onChange: (change: Partial<StepSpec>) => void;
}

const choices = [
  { value: 'output', label: 'Exactly this output' },
  { value: 'ok', label: 'Any output' },
  { value: 'filtered', label: 'Filtered' },
  { value: 'failed', label: 'Failed' },
];

/** What a fixture expects, and how the step's result differs from it. */
export function ExpectPane({ step, index, bench, readOnly, onChange }: ExpectPaneProps) {
  const fixture = step.fixtures?.[index];
  if (!fixture) return null;
  const { expect } = fixture;
  const verdict = bench.fixtures?.[index];
  const output = bench.run?.output;
  const set = (next: Fixture['expect']) => onChange(updateFixture(step, index, { expect: next }));
  const now = bench.run && !bench.isStale ? toExpectation(bench.run, step.kind) : null;
  const chosen = expect.outcome === 'ok' && expect.output !== undefined ? 'output' : expect.outcome;
  return (
    <>
      <div className={classes.facts}>
        <div className={classes.expects}>
          <Select
            size="xs"
            label="Expects"
            value={chosen}
            data={step.kind === 'filter' ? choices.slice(1).map((item) => (item.value === 'ok' ? { ...item, label: 'Passes' } : item)) : choices}
            allowDeselect={false}
            readOnly={readOnly}
            onChange={(value) => {
              if (value === 'filtered' || value === 'failed') set({ outcome: value });
              else set({ outcome: 'ok', encoding: 'utf8', ...(value === 'output' && { output: output?.text ?? '' }) });
            }}
          />
          {verdict?.ok ? (
            <span className={classes.state} data-tone="good" role="status" style={{ height: 30 }}>
              <IconCheck size={14} aria-hidden /> As expected
            </span>
          ) : (
            <Button variant="default" disabled={readOnly || now === null || verdict === undefined} onClick={() => now && set(now)}>
              Expect the current result
            </Button>
          )}
        </div>
        {expect.outcome !== 'ok' && (
          <TextInput
            size="xs"
            label="With the reason"
            description="Empty: any reason will do."
            value={expect.reason ?? ''}
            readOnly={readOnly}
            onChange={(event) => {
              const reason = event.currentTarget.value;
              set({ outcome: expect.outcome, ...(reason !== '' && { reason }) });
            }}
          />
        )}
      </div>
      {verdict && !verdict.ok && (
        <p className={classes.reason} data-tone="bad" role="status">
          {verdict.reason}
        </p>
      )}
      {expect.outcome === 'ok' && expect.output !== undefined && expect.encoding === 'utf8' && (
        <>
          {verdict && !verdict.ok && output?.text != null && (
            <div style={{ margin: 12 }}>
              <JsonDiff before={expect.output} after={output.text} label="Expected output beside the output" />
            </div>
          )}
          <div style={{ margin: 12 }}>
            <p className={classes.dim} style={{ marginBottom: 4 }}>
              Expected output. JSON is compared as values, anything else byte for byte.
            </p>
            <CodeEditor
              value={expect.output}
              label="Expected output"
              language="json"
              readOnly={readOnly}
              onChange={(text) => set({ ...expect, output: text })}
            />
          </div>
        </>
      )}
    </>
  );
}
