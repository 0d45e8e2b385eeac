import { type Icon, IconFilter, IconSend, IconTransform, IconWebhook } from '@tabler/icons-react';
import type { DraftPart } from '../draft.ts';

export function partIcon(item: DraftPart): Icon {
  if (item.kind === 'source') return IconWebhook;
  if (item.kind === 'destination') return IconSend;
  return item.part.kind === 'convert' ? IconTransform : IconFilter;
}

export function kindWord(item: DraftPart): string {
  if (item.kind === 'source') return 'HTTP in';
  if (item.kind === 'destination') return 'HTTP out';
  return item.part.kind === 'convert' ? 'Convert' : 'Filter';
}
