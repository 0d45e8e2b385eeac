import { type Icon, IconFilter, IconPlug, IconSend, IconTransform, IconWebhook } from '@tabler/icons-react';
import type { DraftPart } from '../draft.ts';

export function partIcon(item: DraftPart): Icon {
  if (item.kind !== 'step' && item.part.connector !== 'http') return IconPlug;
  if (item.kind === 'source') return IconWebhook;
  if (item.kind === 'destination') return IconSend;
  return item.part.kind === 'convert' ? IconTransform : IconFilter;
}

/** `titles`: what people call the connectors, by name. */
export function kindWord(item: DraftPart, titles: ReadonlyMap<string, string>): string {
  if (item.kind !== 'step') {
    const { connector } = item.part;
    const title = connector === 'http' ? 'HTTP' : (titles.get(connector) ?? connector);
    // Its name says already which connector it is.
    const isOwnName = title === item.part.name;
    if (item.kind === 'source') return isOwnName ? 'Source' : `${title} in`;
    return `${isOwnName ? 'Destination' : `${title} out`}${item.part.order === 'strict' ? ', in order' : ''}`;
  }
  return item.part.kind === 'convert' ? 'Convert' : 'Filter';
}
