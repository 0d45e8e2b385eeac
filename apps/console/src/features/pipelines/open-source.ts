import type { SourceSpec } from '@vrsky/contracts/pipeline-spec';

/** By which scheme an HTTP source knows its senders. */
export function schemeOf({ settings }: SourceSpec): string {
  const { auth } = settings as { auth?: { scheme?: unknown } };
  return typeof auth?.scheme === 'string' ? auth.scheme : 'none';
}

/** Whether nobody is asked who they are. */
export function isOpenSource(source: SourceSpec): boolean {
  return schemeOf(source) === 'none';
}
