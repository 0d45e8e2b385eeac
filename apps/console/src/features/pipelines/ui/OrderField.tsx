'use client';

import { Checkbox } from '@mantine/core';
import type { DestinationSpec } from '@vrsky/contracts/pipeline-spec';

interface OrderFieldProps {
  order: DestinationSpec['order'];
  onChange: (order: DestinationSpec['order']) => void;
}

/** Whether a destination gets its messages in the order in which they were stored, and what that costs. */
export function OrderField({ order, onChange }: OrderFieldProps) {
  return (
    <Checkbox
      label="Strict order"
      description="Each message waits until the one before it is delivered or a dead letter, also while that one is tried again, and on all nodes together. So there is one request at a time, and a receiver that fails holds up all that comes behind. Destinations without it go on."
      checked={order === 'strict'}
      onChange={(event) => onChange(event.currentTarget.checked ? 'strict' : undefined)}
    />
  );
}
