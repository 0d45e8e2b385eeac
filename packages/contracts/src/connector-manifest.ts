import { z } from 'zod';

const ENV_MAX = 32;

/** Set by the node and by the plugin protocol, or a way to run other code than that of the executable. */
const RESERVED_ENV = /^(PLUGIN_.*|VRSKY_PLUGIN|VRSKY_DATA_DIR|LD_.*|DYLD_.*|PATH|HOME|TMPDIR|NODE_OPTIONS)$/;

/** What is wrong with the name of a variable; null when nothing is. */
function problemOfName(name: string): string | null {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name)) return 'A variable’s name is letters, digits and _';
  return RESERVED_ENV.test(name) ? 'The node sets this variable itself' : null;
}

/**
 * What stands beside a connector's program in a node's plugin directory, as `<file>.json`: what it needs of the system it runs on. Whoever may
 * write into the directory grants it; a connector cannot grant itself anything. Without the file it gets the defaults.
 */
export const connectorManifestSchema = z.strictObject({
  /** `none`: no network at all but its socket to the node. `direct`: the node's network, for connectors that listen or connect. */
  network: z.enum(['none', 'direct']).default('none'),
  /** Memory that it may use, in MiB; the node's own limit when left out. */
  memoryMiB: z.int().min(16).max(8_192).optional(),
  /** Processes and threads that it may have; the node's own limit when left out. */
  processes: z.int().min(1).max(1_024).optional(),
  /** Its environment beside what every connector gets. Everybody on the machine can read it: secrets come with the configuration. */
  env: z
    .record(z.string(), z.string().max(4_096))
    .refine((env) => Object.keys(env).length <= ENV_MAX, `At most ${ENV_MAX} variables`)
    .superRefine((env, context) => {
      for (const name of Object.keys(env)) {
        const message = problemOfName(name);
        if (message !== null) context.addIssue({ code: 'custom', path: [name], message });
      }
    })
    .default({}),
});
export type ConnectorManifest = z.infer<typeof connectorManifestSchema>;

/** The manifest's path for an executable's. */
export function connectorManifestPath(executable: string): string {
  return `${executable}.json`;
}
