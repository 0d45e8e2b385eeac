import {
  type Icon,
  IconArrowsSplit2,
  IconInbox,
  IconKey,
  IconLayoutDashboard,
  IconMailX,
  IconMessages,
  IconPlug,
  IconServer2,
  IconShieldLock,
} from '@tabler/icons-react';
import { paths } from '../../../lib/paths.ts';

export interface Place {
  label: string;
  icon: Icon;
  href: (slug: string) => string;
  /** Pressed after g. */
  key: string;
  /** For the search: what one might call it instead. */
  also: string;
}

/** The places of a tenant, in groups as the menu shows them. A place is here when its page works. */
export const places: Place[][] = [
  [
    { label: 'Overview', icon: IconLayoutDashboard, href: paths.overview, key: 'o', also: 'home dashboard status' },
    { label: 'Pipelines', icon: IconArrowsSplit2, href: paths.pipelines, key: 'p', also: 'flows sources destinations steps' },
    { label: 'Messages', icon: IconMessages, href: (slug) => paths.messages(slug), key: 'm', also: 'trail events log' },
    { label: 'Dead letters', icon: IconMailX, href: (slug) => paths.deadLetters(slug), key: 'd', also: 'failed dlq send again' },
  ],
  [
    { label: 'Connectors', icon: IconPlug, href: paths.connectors, key: 'c', also: 'plugins integrations sources destinations' },
    { label: 'Secrets', icon: IconShieldLock, href: paths.secrets, key: 's', also: 'passwords keys tokens credentials vault rotation' },
    { label: 'Nodes', icon: IconServer2, href: paths.nodes, key: 'n', also: 'machines sandbox health' },
    { label: 'Test receiver', icon: IconInbox, href: (slug) => paths.receiver(slug), key: 'r', also: 'request bin requests' },
    { label: 'API keys', icon: IconKey, href: paths.apiKeys, key: 'a', also: 'tokens rest credentials' },
  ],
];

/** The place an address belongs to: the one with the longest address that it starts with. */
export function placeOf(pathname: string, slug: string): Place | undefined {
  return places
    .flat()
    .filter((place) => pathname === place.href(slug) || (place.href(slug) !== paths.overview(slug) && pathname.startsWith(`${place.href(slug)}/`)))
    .at(0);
}
