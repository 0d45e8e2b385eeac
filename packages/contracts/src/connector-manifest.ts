import { z } from 'zod';

/** What stands beside a connector's program in a node's plugin directory, as `<file>.json`: what it needs of the system it runs on. */
export const connectorManifestSchema = z.strictObject({
  /** `none`: no network at all but its socket to the node. `direct`: the node's network. */
  network: z.enum(['none', 'direct']).default('none'),
  /** Memory that it may use, in MiB. */
  memoryMiB: z.int().min(16).max(8_192).optional(),
  /** Processes and threads that it may have. */
  processes: z.int().min(1).max(1_024).optional(),
  /** Its environment beside what every connector gets. Never secrets: they come with the configuration. */
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'A variable’s name is letters, digits and _'), z.string().max(4_096)).default({}),
});
export type ConnectorManifest = z.infer<typeof connectorManifestSchema>;
