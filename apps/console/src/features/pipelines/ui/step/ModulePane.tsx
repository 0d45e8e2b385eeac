'use client';

import { Button, FileButton, Skeleton } from '@mantine/core';
import { IconFileCode2, IconUpload } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { StepSpec } from '@vrsky/contracts/pipeline-spec';
import { useState } from 'react';
import { EmptyState } from '../../../../ui/EmptyState.tsx';
import { formatBytes } from '../../../../ui/format.ts';
import { toBase64 } from '../../workbench/base64.ts';
import type { Workbench } from '../../workbench/clients.ts';
import classes from './Step.module.css';

interface ModulePaneProps {
  step: StepSpec;
  workbench: Workbench | null;
  readOnly: boolean;
  onChange: (change: Partial<StepSpec>) => void;
}

const MODULE_BYTES_MAX = 1_048_576;

/** A step that is a module somebody built elsewhere: uploaded, with what it asks for and what it offers. */
export function ModulePane({ step, workbench, readOnly, onChange }: ModulePaneProps) {
  const [problem, setProblem] = useState<string | null>(null);
  const view = useQuery({
    queryKey: ['step-module', step.source],
    queryFn: () => workbench?.runner.call('inspect', step.source) ?? null,
    enabled: workbench !== null && step.source !== '',
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
    meta: { neverChanges: true },
  });
  const take = async (file: File | null) => {
    if (!file) return;
    if (file.size > MODULE_BYTES_MAX) return setProblem(`${file.name} has ${formatBytes(file.size)}; a module has at most 1 MiB.`);
    setProblem(null);
    onChange({ source: toBase64(new Uint8Array(await file.arrayBuffer())) });
  };
  const upload = (label: string) => (
    <FileButton onChange={(file) => void take(file)} accept="application/wasm,.wasm" disabled={readOnly} inputProps={{ 'aria-label': 'WebAssembly module' }}>
      {(props) => (
        <Button {...props} variant={step.source === '' ? 'filled' : 'default'} leftSection={<IconUpload size={15} aria-hidden />} disabled={readOnly}>
          {label}
        </Button>
      )}
    </FileButton>
  );
  return (
    <div className={`${classes.fill} ${classes.module}`}>
      {step.source === '' ? (
        <EmptyState icon={IconFileCode2} title="No module yet" action={upload('Upload a module')}>
          Any language that compiles to WebAssembly can be a step: build a module of the logic ABI, at most 1 MiB, and upload it. It is metered and limited like
          any other step.
        </EmptyState>
      ) : (
        <div style={{ display: 'flex', alignItems: 'center', gap: 12 }}>
          <b>{formatBytes(Math.floor((step.source.length * 3) / 4))}</b>
          {upload('Replace the module')}
        </div>
      )}
      {(problem ?? view.error) && (
        <p className={classes.reason} data-tone="bad" role="alert" style={{ margin: 0 }}>
          {problem ?? `It is no WebAssembly module: ${view.error?.message}`}
        </p>
      )}
      {step.source !== '' && view.isPending && <Skeleton height={80} />}
      {view.data && (
        <>
          <Names title="Asks the platform for" empty="Nothing: it works on its memory alone." names={view.data.imports} />
          <Names title="Offers" empty="Nothing, so it cannot be run." names={view.data.exports} />
        </>
      )}
    </div>
  );
}

function Names({ title, empty, names }: { title: string; empty: string; names: { name: string; kind: string }[] }) {
  return (
    <div>
      <h3>{title}</h3>
      {names.length === 0 ? (
        <p className={classes.dim}>{empty}</p>
      ) : (
        <ul>
          {names.map(({ name, kind }) => (
            <li key={name}>
              <code>{name}</code> <span className={classes.dim}>{kind}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
