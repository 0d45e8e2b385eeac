export const liveKinds = ['messages', 'rollout', 'pipelines', 'nodes', 'receiver', 'calls', 'secrets'] as const;

/** What a page shows has changed: it asks again for exactly that. */
export interface LiveChange {
  kind: (typeof liveKinds)[number];
  pipelineId?: string;
}
