'use client';

import { PageError, type PageErrorProps } from './PageError.tsx';

export default function ErrorPage(props: PageErrorProps) {
  return (
    <main>
      <PageError {...props} />
    </main>
  );
}
