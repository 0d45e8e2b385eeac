'use client';

import '@mantine/spotlight/styles.layer.css';
import { createSpotlight, Spotlight, type SpotlightActionData } from '@mantine/spotlight';
import { IconArrowsSplit2, IconMailOpened, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useRouter } from 'next/navigation';
import { useEffect, useState } from 'react';
import { paths } from '../../../lib/paths.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { stateWord } from '../../../ui/states.ts';
import { useSlug } from '../api.tsx';
import { places } from './navigation.ts';

const [store, spotlight] = createSpotlight();
const MESSAGE_ID = /^msg_[0-9a-hjkmnp-tv-z]{26}$/;
/** What the search of messages understands: the beginning of an id, or a trace id. */
const SEARCHABLE = /^(msg_[0-9a-z]*|[0-9a-f]{32})$/i;

export function SearchDialog({ openedTimes }: { openedTimes: number }) {
  const router = useRouter();
  const slug = useSlug();
  const trpc = useTRPC();
  const [query, setQuery] = useState('');
  const pipelines = useQuery(trpc.pipelines.list.queryOptions());

  // Asked for from outside, by key or click; `openedTimes` counts so that a second press opens it again.
  useEffect(() => {
    if (openedTimes > 0) spotlight.open();
  }, [openedTimes]);

  const text = query.trim();
  const go = (href: string) => () => router.push(href);
  const found: SpotlightActionData[] = [
    ...(MESSAGE_ID.test(text)
      ? [
          {
            id: 'message',
            label: `Open message ${text}`,
            description: 'Its trail: steps, attempts, payload',
            leftSection: <IconMailOpened size={18} aria-hidden />,
            onClick: go(paths.message(slug, text)),
          },
        ]
      : []),
    ...places
      .flat()
      .filter((place) => contains(`${place.label} ${place.also}`, text))
      .map((place) => ({
        id: place.label,
        label: place.label,
        description: `Page · g ${place.key}`,
        leftSection: <place.icon size={18} stroke={1.75} aria-hidden />,
        onClick: go(place.href(slug)),
      })),
    ...(pipelines.data ?? [])
      .filter((pipeline) => contains(`${pipeline.name} ${pipeline.id}`, text))
      .slice(0, 8)
      .map((pipeline) => ({
        id: pipeline.id,
        label: pipeline.name,
        description: `Pipeline · ${stateWord(pipeline.state)}`,
        leftSection: <IconArrowsSplit2 size={18} stroke={1.75} aria-hidden />,
        onClick: go(paths.pipeline(slug, pipeline.id)),
      })),
    ...(SEARCHABLE.test(text) && !MESSAGE_ID.test(text)
      ? [
          {
            id: 'messages',
            label: `Search messages for “${text}”`,
            description: 'By message id, its beginning, or trace id',
            leftSection: <IconSearch size={18} aria-hidden />,
            onClick: go(paths.messages(slug, { search: text })),
          },
        ]
      : []),
  ];

  return (
    <Spotlight
      store={store}
      actions={found}
      // We filter ourselves: a message id is no action's label.
      filter={(_, actions) => actions}
      query={query}
      onQueryChange={setQuery}
      shortcut={null}
      centered={false}
      yOffset="12vh"
      overlayProps={{ backgroundOpacity: 0.4, blur: 0 }}
      transitionProps={{ duration: 0 }}
      highlightQuery={false}
      scrollable
      maxHeight={420}
      clearQueryOnClose
      nothingFound="Nothing has this name. Paste a message id or a trace id to find a message."
      searchProps={{ placeholder: 'Page, pipeline or message id', leftSection: <IconSearch size={18} aria-hidden />, 'aria-label': 'Search' }}
    />
  );
}

function contains(haystack: string, needle: string): boolean {
  return haystack.toLowerCase().includes(needle.toLowerCase());
}
