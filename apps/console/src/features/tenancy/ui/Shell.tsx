'use client';

import { ActionIcon } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconCloudOff, IconMenu2 } from '@tabler/icons-react';
import dynamic from 'next/dynamic';
import Link from 'next/link';
import { usePathname } from 'next/navigation';
import { type ReactNode, useState } from 'react';
import { useLive } from '../../../trpc/live.tsx';
import { formatClock } from '../../../ui/format.ts';
import { useNow } from '../../../ui/use-now.ts';
import { useSlug } from '../api.tsx';
import { HelpMenu } from './HelpMenu.tsx';
import { placeOf, places } from './navigation.ts';
import { PersonMenu } from './PersonMenu.tsx';
import { Search } from './Search.tsx';
import classes from './Shell.module.css';
import { TenantSwitcher } from './TenantSwitcher.tsx';
import { usePlaceKeys } from './use-place-keys.ts';

// Only a narrow screen has a menu to open.
const MenuDrawer = dynamic(() => import('./MenuDrawer.tsx').then((module) => module.MenuDrawer), { ssr: false });

/** The frame of every tenant page: where am I, where can I go, is what I see current. */
export function Shell({ children }: { children: ReactNode }) {
  const [menuOpen, menu] = useDisclosure(false);
  const [menuUsed, setMenuUsed] = useState(false);
  usePlaceKeys();
  return (
    <div className={classes.shell}>
      <a href="#main" className="skip-link">
        Skip to content
      </a>
      <aside className={classes.sidebar} aria-label="Organisation and places">
        <Sidebar />
      </aside>
      <div style={{ minWidth: 0 }}>
        <header className={classes.header}>
          <ActionIcon
            className={classes.burger}
            onClick={() => {
              setMenuUsed(true);
              menu.open();
            }}
            aria-label="Open the menu"
            size="lg"
          >
            <IconMenu2 size={20} aria-hidden />
          </ActionIcon>
          <Search />
          <Stale />
          <div className={classes.end}>
            <HelpMenu />
            <PersonMenu />
          </div>
        </header>
        {/* Takes the focus from the skip link. */}
        <main id="main" className={classes.main} tabIndex={-1}>
          {children}
        </main>
      </div>
      {menuUsed && (
        <MenuDrawer opened={menuOpen} onClose={menu.close}>
          <Sidebar onGo={menu.close} />
        </MenuDrawer>
      )}
    </div>
  );
}

function Sidebar({ onGo }: { onGo?: () => void }) {
  return (
    <>
      <div className={classes.tenant}>
        <TenantSwitcher />
      </div>
      <Navigation onGo={onGo} />
      <div className={classes.foot}>
        <LiveMark />
      </div>
    </>
  );
}

function Navigation({ onGo }: { onGo?: (() => void) | undefined }) {
  const slug = useSlug();
  const current = placeOf(usePathname(), slug);
  return (
    <nav className={classes.nav} aria-label="Places">
      {places.map((group) => (
        <ul key={group[0]?.label}>
          {group.map((place) => (
            <li key={place.label}>
              <Link href={place.href(slug)} className={classes.place} aria-current={place === current ? 'page' : undefined} onClick={onGo}>
                <place.icon size={17} stroke={1.75} aria-hidden />
                {place.label}
              </Link>
            </li>
          ))}
        </ul>
      ))}
    </nav>
  );
}

const liveWords = { connecting: 'Connecting', live: 'Live', reconnecting: 'Reconnecting' } as const;

function LiveMark() {
  const { state } = useLive();
  return (
    <span className={classes.live} data-state={state}>
      <i aria-hidden />
      {liveWords[state]}
    </span>
  );
}

/** A line that is back within two seconds is not worth a word. */
const PATIENCE_MS = 2_000;

/** In the header, where it moves nothing and stays in sight. */
function Stale() {
  const { state, lostAt } = useLive();
  const now = useNow();
  if (state !== 'reconnecting' || lostAt === null || now - lostAt < PATIENCE_MS) return null;
  return (
    <span
      className={classes.stale}
      role="status"
      title="The connection to the console is lost. Messages keep flowing; the page goes on by itself when the line is back."
    >
      <IconCloudOff size={15} aria-hidden />
      As of {formatClock(lostAt)}
      <span className={classes.roomy}>, reconnecting</span>
    </span>
  );
}
