import { limits } from '@vrsky/contracts/limits';
import { secretHostSchema, secretNameSchema } from '@vrsky/contracts/secrets';
import { z } from 'zod';

const valueSchema = z
  .string()
  .min(1, 'A secret has a value')
  // Characters are no bytes; this only keeps the count below short.
  .max(limits.secretBytesMax, `A value has at most ${limits.secretBytesMax / 1_024} KiB`)
  .refine((text) => new TextEncoder().encode(text).length <= limits.secretBytesMax, `A value has at most ${limits.secretBytesMax / 1_024} KiB`)
  .describe('Up to 16 KiB. It is never answered again');

const hostsSchema = z
  .array(secretHostSchema)
  .max(limits.secretHostsMax, `A secret has at most ${limits.secretHostsMax} hosts`)
  .transform((hosts) => [...new Set(hosts)])
  .describe('Host names that connectors may send the value to: `api.example.com`, `*.example.com`, `api.example.com:8443`. Empty: it is only compared with');

const overlapSchema = z
  .int('A time in whole seconds')
  .min(0)
  .max(limits.secretOverlapSecondsMax, 'An old version stays valid for 30 days at most')
  .describe('How long a version stays valid after it was replaced, in seconds; 86,400 unless said');

export const createSecretInput = z.strictObject({
  name: secretNameSchema,
  value: valueSchema,
  hosts: hostsSchema.default([]),
  overlapSeconds: overlapSchema.default(limits.secretOverlapSecondsDefault),
});

export const replaceSecretChange = {
  value: valueSchema.optional().describe('The next version; left out, the value stays'),
  hosts: hostsSchema.optional(),
  overlapSeconds: overlapSchema.optional().describe('For the version replaced now, and for later ones'),
  endOverlap: z.literal(true).optional().describe('Replaced versions stop being valid at once'),
};

export const replaceSecretInput = z.strictObject({ name: secretNameSchema, revision: z.int(), ...replaceSecretChange });
export const secretNameInput = z.strictObject({ name: secretNameSchema });
export type CreateSecretArgs = z.output<typeof createSecretInput>;
export type ReplaceSecretArgs = Omit<z.output<typeof replaceSecretInput>, 'revision'> & { revision: number | null };
