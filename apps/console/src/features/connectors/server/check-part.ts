import { withinTime } from '../../../server/within-time.ts';
import { checkSettings, type SettingsError } from '../settings/check-settings.ts';
import { readSchema } from '../settings/read-schema.ts';

/** Settings that need longer are left to the connector itself. */
const CHECK_MS = 100;

/**
 * What a connector's schema says against settings. A schema that cannot be used, or would take for ever, says nothing: the connector
 * itself judges when a node asks it.
 */
export function checkBySchema(schemaText: string, settings: unknown): SettingsError[] {
  const read = readSchema(schemaText);
  if (!read.ok) return [];
  try {
    return withinTime(CHECK_MS, () => checkSettings(read.schema, settings))?.value ?? [];
  } catch (error) {
    // It refers to itself without end.
    if (error instanceof RangeError) return [];
    throw error;
  }
}
