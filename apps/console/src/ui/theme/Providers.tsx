'use client';

import { MantineProvider } from '@mantine/core';
import type { ReactNode } from 'react';
import { Notices } from './Notices.tsx';
import { cssVariables, theme } from './theme.ts';

/** Theme and notices around every page. `nonce` lets Mantine's own style elements through the page's Content-Security-Policy. */
export function Providers({ children, nonce }: { children: ReactNode; nonce?: string | undefined }) {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto" getStyleNonce={nonce === undefined ? undefined : () => nonce}>
      <Notices />
      {children}
    </MantineProvider>
  );
}
