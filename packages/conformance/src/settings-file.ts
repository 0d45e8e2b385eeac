import * as z from 'zod';

const settings = z.record(z.string(), z.unknown());

/** What `vrsky connector check --settings` reads: what it takes to run a connector with connections that are good. */
export const settingsFileSchema = z.strictObject({
  /** Settings of a good source, by preference one that begins messages by itself, and quickly. */
  source: settings.optional(),
  /** Settings of a good destination. Thousands of messages are sent to it. */
  destination: settings.optional(),
  /** Values of the secrets that the settings refer to; made up when left out. */
  secrets: z.record(z.string(), z.string()).default({}),
  /** The connector's environment. */
  env: z.record(z.string(), z.string()).default({}),
  /** A request that makes the source take something in, when it waits for somebody. */
  request: z
    .strictObject({
      url: z.url(),
      method: z.string().default('POST'),
      headers: z.record(z.string(), z.string()).default({}),
      body: z.string().optional(),
    })
    .optional(),
});

export type SettingsFile = z.infer<typeof settingsFileSchema>;
