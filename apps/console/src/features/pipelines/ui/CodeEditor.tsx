'use client';

import { Skeleton } from '@mantine/core';
import dynamic from 'next/dynamic';

/** A code editor; its library is loaded when the first one is shown. */
export const CodeEditor = dynamic(() => import('./CodeEditorView.tsx').then((module) => module.CodeEditorView), {
  ssr: false,
  loading: () => <Skeleton height="100%" mih={80} radius="md" />,
});
