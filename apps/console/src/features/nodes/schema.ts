import { z } from 'zod';

/** Names of layers as nodes report them; a node that does not know one runs nothing for the tenant. */
export const protectionSchema = z.strictObject({
  minimum: z
    .array(z.string().regex(/^[a-z][a-z-]{0,39}$/, 'A layer is named as on the Nodes page, for instance namespaces'))
    .max(16, 'At most 16 layers')
    .transform((layers) => [...new Set(layers)].sort()),
});
export type Protection = z.infer<typeof protectionSchema>;
