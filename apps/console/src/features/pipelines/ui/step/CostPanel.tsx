'use client';

import { ActionIcon, Popover } from '@mantine/core';
import { IconInfoCircle } from '@tabler/icons-react';
import { usageRates, usdPerMillionMessages } from '@vrsky/contracts/usage-rates';
import { formatMicros, formatNumber } from '../../../../ui/format.ts';
import type { BenchRun } from '../../workbench/bench-types.ts';
import classes from './Step.module.css';

const parts = [
  ['decode', 'Decode'],
  ['logic', 'Logic'],
  ['encode', 'Encode'],
] as const;

/** What the run cost: counted, not measured, so a node comes to the same number. */
export function CostPanel({ run }: { run: BenchRun | null }) {
  return (
    <section className={classes.cost} aria-label="Cost">
      <dl>
        <div>
          <dt>Instructions</dt>
          <dd>{run ? formatNumber(run.instructions) : '–'}</dd>
        </div>
        <div>
          <dt>
            Per million messages <Help />
          </dt>
          <dd>{run ? formatUsd(usdPerMillionMessages(run.instructions)) : '–'}</dd>
        </div>
        <div>
          <dt>Took here</dt>
          <dd>{run ? formatMicros(run.durationUs) : '–'}</dd>
        </div>
      </dl>
      <Limit run={run} />
      {run?.split && <Split split={run.split} />}
    </section>
  );
}

function Limit({ run }: { run: BenchRun | null }) {
  const share = run ? run.instructions / run.limit : 0;
  return (
    <>
      <meter className="visually-hidden" aria-label="Instructions of the limit" min={0} max={run?.limit ?? 1} value={run?.instructions ?? 0} />
      <div className={classes.meter} aria-hidden>
        {run && <i style={{ width: `${Math.min(100, share * 100)}%`, minWidth: 2 }} data-tone={share >= 1 ? 'bad' : share > 0.5 ? 'wait' : undefined} />}
      </div>
      <p className={classes.legend}>{run ? `${formatShare(share)} of the limit of ${formatNumber(run.limit)} for this input` : 'Nothing has run yet'}</p>
    </>
  );
}

function Split({ split }: { split: NonNullable<BenchRun['split']> }) {
  const total = Math.max(1, split.decode + split.logic + split.encode);
  return (
    <>
      <div className={classes.meter} aria-hidden>
        {parts.map(([part]) => (
          <i key={part} data-part={part} style={{ width: `${(split[part] / total) * 100}%` }} />
        ))}
      </div>
      <ul className={classes.legend} aria-label="Instructions by what they were for">
        {parts.map(([part, word]) => (
          <li key={part} data-part={part}>
            <i aria-hidden />
            {word} {formatNumber(split[part])}
          </li>
        ))}
      </ul>
    </>
  );
}

function Help() {
  return (
    <Popover width={320} position="top" shadow="md" withinPortal>
      <Popover.Target>
        <ActionIcon size={24} aria-label="How the cost comes about">
          <IconInfoCircle size={14} aria-hidden />
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown>
        <p className={classes.dim}>
          List price: {usageRates.usdPerBillionInstructions} US dollars for a billion instructions. The step runs in this page on the engine of the nodes and
          within their limits, so the count is the one that a node comes to and that a bill shows. How long it took depends on this computer and costs nothing.
        </p>
      </Popover.Dropdown>
    </Popover>
  );
}

function formatUsd(usd: number): string {
  return `$${usd < 0.0995 ? usd.toPrecision(2) : usd.toFixed(2)}`;
}

function formatShare(share: number): string {
  return share < 0.001 ? 'less than 0.1%' : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)}%`;
}
