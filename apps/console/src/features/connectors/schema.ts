import { limits } from '@vrsky/contracts/limits';
import { connectorNameSchema, releaseDigestSchema } from '@vrsky/contracts/pipeline-spec';
import { z } from 'zod';

export const connectorInput = z.strictObject({ name: connectorNameSchema, release: releaseDigestSchema.optional() });

export const testSettings = {
  release: releaseDigestSchema.optional().describe('Left out, the newest release that a node has'),
  role: z.enum(['source', 'destination']),
  settings: z
    .record(z.string().max(200), z.json())
    .refine(
      (settings) => JSON.stringify(settings).length <= limits.settingsCharsMax,
      `Settings have at most ${limits.settingsCharsMax.toLocaleString('en')} characters`,
    ),
};
export const testConnectorInput = z.strictObject({ name: connectorNameSchema, ...testSettings });

export type ConnectorArgs = z.infer<typeof connectorInput>;
export type TestConnectorArgs = z.infer<typeof testConnectorInput>;
