import { z } from 'zod';

const ENV_MAX = 32;
const ENV_VALUE_CHARS_MAX = 4_096;

/** Set by the node and by the plugin protocol, or a way to run other code than that of the executable. */
const RESERVED_ENV = /^(PLUGIN_.*|VRSKY_PLUGIN|VRSKY_DATA_DIR|LD_.*|DYLD_.*|PATH|HOME|TMPDIR|NODE_OPTIONS)$/;

const envNameSchema = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'A variable has capital letters, digits and _')
  .refine((name) => !RESERVED_ENV.test(name), 'The node sets this variable itself');

/**
 * What an operator grants a connector that lies in a node's plugin directory: `<file>.json` beside `<file>`. Whoever may write into the directory
 * decides; a connector cannot grant itself anything. Without the file it gets the defaults.
 */
export const connectorManifestSchema = z.strictObject({
  /** `none`: it reaches nothing but its own socket. `direct`: the node's network, for connectors that listen or connect. */
  network: z.enum(['none', 'direct']).default('none'),
  /** Most memory of all its processes, in MiB; the node's own limit when left out. */
  memoryMiB: z.int().min(16).max(65_536).optional(),
  /** Most processes and threads at a time; the node's own limit when left out. */
  processes: z.int().min(1).max(4_096).optional(),
  /** Its environment, beside what every connector gets. Everybody on the machine can read it: no secrets. */
  env: z
    .record(envNameSchema, z.string().max(ENV_VALUE_CHARS_MAX))
    .refine((env) => Object.keys(env).length <= ENV_MAX, `At most ${ENV_MAX} variables`)
    .optional(),
});

export type ConnectorManifest = z.infer<typeof connectorManifestSchema>;

/** The manifest's path for an executable's. */
export function connectorManifestPath(executable: string): string {
  return `${executable}.json`;
}
