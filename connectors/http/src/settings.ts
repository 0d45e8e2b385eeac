import * as z from 'zod';

export { type DestinationSettings, destinationSettingsSchema } from './destination/settings.ts';

export const sourceSettingsSchema = z.strictObject({
  path: z
    .string()
    .regex(/^[A-Za-z0-9_-]{8,128}$/, 'A path has 8 to 128 letters, digits, - and _')
    .meta({ title: 'Path', description: 'The end of the URL, /in/<path>. Who knows it can send: make it long and random.' }),
});
