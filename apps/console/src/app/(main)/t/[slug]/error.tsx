'use client';

import { PageError, type PageErrorProps } from '../../../PageError.tsx';

/** Inside the shell: the menu stays, so that one can go elsewhere. */
export default function TenantErrorPage(props: PageErrorProps) {
  return <PageError {...props} />;
}
