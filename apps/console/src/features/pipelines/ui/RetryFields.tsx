'use client';

import { Group, NumberInput } from '@mantine/core';
import type { RetryPolicy } from '@vrsky/contracts/pipeline-spec';
import type { ReactNode } from 'react';

interface RetryFieldsProps {
  retry: RetryPolicy;
  /** By path within the destination: `retry/attempts`. */
  errors: Map<string, string>;
  onChange: (retry: RetryPolicy) => void;
  /** What stands on the same line before them. */
  children?: ReactNode;
}

/** How often a destination tries, and how long it waits between. */
export function RetryFields({ retry, errors, onChange, children }: RetryFieldsProps) {
  const set = (change: Partial<RetryPolicy>) => onChange({ ...retry, ...change });
  return (
    <Group gap="md" align="flex-start">
      {children}
      <NumberInput
        label="Attempts"
        min={1}
        max={20}
        value={retry.attempts}
        onChange={(value) => typeof value === 'number' && set({ attempts: value })}
        error={errors.get('retry/attempts')}
        w={120}
        size="sm"
      />
      <NumberInput
        label="First wait"
        suffix=" ms"
        min={50}
        max={60_000}
        step={500}
        thousandSeparator=","
        value={retry.initialMs}
        onChange={(value) => typeof value === 'number' && set({ initialMs: value })}
        error={errors.get('retry/initialMs')}
        w={150}
        size="sm"
      />
      <NumberInput
        label="Longest wait"
        suffix=" ms"
        min={50}
        max={3_600_000}
        step={5_000}
        thousandSeparator=","
        value={retry.maxMs}
        onChange={(value) => typeof value === 'number' && set({ maxMs: value })}
        error={errors.get('retry/maxMs')}
        w={160}
        size="sm"
      />
    </Group>
  );
}
