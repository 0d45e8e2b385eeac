'use client';

import { Skeleton } from '@mantine/core';
import dynamic from 'next/dynamic';

/** Two payloads, line by line. Loaded when first shown: most visits to a page do not open it. */
export const JsonDiff = dynamic(() => import('./JsonDiffView.tsx').then((module) => module.JsonDiffView), {
  ssr: false,
  loading: () => <Skeleton height={120} radius="md" />,
});
