'use client';

import { useHotkeys } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import dynamic from 'next/dynamic';
import { useEffect, useState } from 'react';
import classes from './Shell.module.css';

const load = () => import('./SearchDialog.tsx');
// Nobody pays for the search before reaching for it.
const SearchDialog = dynamic(() => load().then((module) => module.SearchDialog), { ssr: false });

/** Ctrl or ⌘ and K: to any page, pipeline or message. */
export function Search() {
  const [used, setUsed] = useState(0);
  const open = () => setUsed((times) => times + 1);
  useHotkeys([['mod+K', open]], []);
  useEffect(() => {
    // The first half of the shortcut is enough of a sign.
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Control' || event.key === 'Meta') void load();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  return (
    <>
      <button type="button" className={classes.search} onClick={open} onPointerEnter={() => void load()} aria-keyshortcuts="Control+K Meta+K">
        <IconSearch size={15} aria-hidden />
        Search or jump to…
        <kbd className={classes.key}>Ctrl K</kbd>
      </button>
      {used > 0 && <SearchDialog openedTimes={used} />}
    </>
  );
}
