'use client';

import { Tooltip } from '@mantine/core';
import type { ReactElement } from 'react';

/**
 * A control that some roles may not use: it stays in its place, disabled, and says which role it needs. `children` gets
 * `disabled`; `role` null means it is allowed.
 */
export function NeedsRole({ role, children }: { role: string | null; children: (disabled: boolean) => ReactElement }) {
  if (role === null) return children(false);
  return (
    <Tooltip label={`Needs the role ${role}`}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a disabled button takes no focus; its reason must be reachable by keyboard */}
      <span tabIndex={0} style={{ display: 'inline-block' }} aria-label={`Needs the role ${role}`} role="note">
        {children(true)}
      </span>
    </Tooltip>
  );
}
