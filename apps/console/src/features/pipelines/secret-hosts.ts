import type { HttpDestinationSpec } from '@vrsky/contracts/pipeline-spec';

/** To which hosts an HTTP destination sends the secret of the field at `pointer`; none for a key that only signs. */
export function secretHosts(settings: HttpDestinationSpec['settings'], pointer: string): string[] {
  const { auth, url } = settings as { auth?: { tokenUrl?: unknown }; url: string };
  if (pointer === '/auth/clientSecret') return hostOf(auth?.tokenUrl);
  return /^\/auth\/(token|password|value|sessionToken)$/.test(pointer) ? hostOf(url) : [];
}

/** With its port when it is not the usual one. Templates stand after the host. */
function hostOf(url: unknown): string[] {
  const origin = typeof url === 'string' ? /^https?:\/\/[^/?#]+/.exec(url)?.[0] : undefined;
  return origin !== undefined && URL.canParse(origin) ? [new URL(origin).host] : [];
}
