import { z } from 'zod';

const userSchema = z.strictObject({ email: z.string(), password: z.string() });

/** `.vrsky/dev.json`: what a running dev stack tells scripts about itself. */
export const devFileSchema = z.strictObject({
  console: z.url(),
  ingest: z.url(),
  metrics: z.strictObject({ console: z.url(), node: z.url() }),
  nats: z.string(),
  postgres: z.string(),
  /** Pipelines may send there; nothing listens until the person starts something. */
  ownReceiver: z.url(),
  user: userSchema,
  tenant: z.strictObject({ slug: z.string(), customerId: z.string() }),
  apiKey: z.string(),
  demo: z.strictObject({ pipelineId: z.string(), ingestUrl: z.url(), receiverUrl: z.url() }),
  otherTenant: z.strictObject({ slug: z.string(), customerId: z.string(), user: userSchema, apiKey: z.string() }),
});
export type DevFile = z.infer<typeof devFileSchema>;
