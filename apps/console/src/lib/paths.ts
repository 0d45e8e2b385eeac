import type { MessageState } from '../features/messages/types.ts';

/** What a list of messages shows; it lives in the URL, so that a link brings the same list back. */
export interface MessageFilters {
  pipelineId?: string | undefined;
  states?: MessageState[] | undefined;
  search?: string | undefined;
}

/** Every address of the console. Nobody writes one by hand elsewhere. */
export const paths = {
  signIn: (callbackUrl?: string) => `/sign-in${query({ callbackUrl })}`,
  home: '/',
  overview: (slug: string) => `/t/${slug}`,
  pipelines: (slug: string) => `/t/${slug}/pipelines`,
  pipeline: (slug: string, pipelineId: string) => `/t/${slug}/pipelines/${pipelineId}`,
  messages: (slug: string, filters: MessageFilters = {}) =>
    `/t/${slug}/messages${query({ pipeline: filters.pipelineId, state: filters.states?.join(','), q: filters.search })}`,
  message: (slug: string, messageId: string) => `/t/${slug}/messages/${messageId}`,
  deadLetters: (slug: string, filters: { pipelineId?: string | undefined } = {}) => `/t/${slug}/dead-letters${query({ pipeline: filters.pipelineId })}`,
  connectors: (slug: string) => `/t/${slug}/connectors`,
  connector: (slug: string, name: string) => `/t/${slug}/connectors/${name}`,
  nodes: (slug: string) => `/t/${slug}/nodes`,
  receiver: (slug: string, requestKey?: string) => `/t/${slug}/receiver${query({ request: requestKey })}`,
  secrets: (slug: string) => `/t/${slug}/secrets`,
  apiKeys: (slug: string) => `/t/${slug}/api-keys`,
  openApi: '/api/v1/openapi.json',
} as const;

function query(values: Record<string, string | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value) search.set(name, value);
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

/** Only a path on this console: what follows a sign-in must not lead to a stranger's site. */
export function toLocalPath(candidate: string | null | undefined): string {
  if (!candidate) return paths.home;
  const base = 'http://console.invalid';
  if (!URL.canParse(candidate, base)) return paths.home;
  const url = new URL(candidate, base);
  return url.origin === base ? `${url.pathname}${url.search}${url.hash}` : paths.home;
}
