import type { TenantTx } from '@vrsky/db/client';
import { mergeOffers } from './merge-offers.ts';
import { readOffers } from './read-offers.ts';

/** What people call these connectors, as far as the pool's nodes offer them. */
export async function connectorTitles(tx: TenantTx, names: ReadonlySet<string>): Promise<Map<string, string>> {
  const titles = new Map([['http', 'HTTP']]);
  if ([...names].every((name) => titles.has(name))) return titles;
  for (const { name, title } of mergeOffers(await readOffers(tx, Date.now()))) if (name !== 'http') titles.set(name, title);
  return titles;
}
