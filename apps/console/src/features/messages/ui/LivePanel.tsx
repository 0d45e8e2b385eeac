'use client';

import { Button } from '@mantine/core';
import { IconArrowUp } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { TableSkeleton } from '../../../ui/DataTable.tsx';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { formatCount } from '../../../ui/format.ts';
import { StaleBanner } from '../../../ui/StaleBanner.tsx';
import classes from './LivePanel.module.css';
import type { LiveList } from './live-list.ts';
import type { LiveListState } from './use-live-list.ts';

/** Behind by more than this, the page says so. */
const LAG_WORTH_SAYING_MS = 10_000;

interface LivePanelProps<T> {
  live: LiveListState<T>;
  /** "message", "dead letter". */
  what: string;
  columns: number;
  empty: ReactNode;
  children: (list: LiveList<T>) => ReactNode;
}

/** Around a live list: its skeleton, its error, the new ones that wait, the way to older ones. */
export function LivePanel<T>({ live, what, columns, empty, children }: LivePanelProps<T>) {
  const { list, lag, older } = live;
  if (!list && live.error) return <ErrorState error={toErrorView(live.error)} onRetry={live.retry} />;
  return (
    <>
      {lag && lag.ms > LAG_WORTH_SAYING_MS && <StaleBanner asOf={lag.asOf} reason="catching_up" />}
      <div ref={live.element} className={classes.panel}>
        {!list ? (
          <TableSkeleton columns={columns} rows={12} />
        ) : list.items.length === 0 ? (
          empty
        ) : (
          <>
            {list.waiting && <NewerButton waiting={list.waiting} onShow={live.showWaiting} />}
            {children(list)}
            <div className={classes.foot}>
              <span>{formatCount(list.items.length, what)} shown, newest first</span>
              {older.error !== null && <span role="alert">{toErrorView(older.error).message}</span>}
              {list.olderCursor === null ? (
                <span>This is the oldest one kept.</span>
              ) : (
                <Button variant="default" loading={older.loading} onClick={older.load}>
                  Show older {what}s
                </Button>
              )}
            </div>
          </>
        )}
      </div>
    </>
  );
}

/** What came meanwhile waits behind it, so that nothing moves under the reader. */
function NewerButton({ waiting, onShow }: { waiting: { count: number; more: boolean }; onShow: () => void }) {
  return (
    <div className={classes.newer} role="status">
      <button
        type="button"
        onClick={() => {
          onShow();
          window.scrollTo({ top: 0 });
        }}
      >
        <IconArrowUp size={14} aria-hidden />
        {waiting.more ? `More than ${waiting.count} new` : `${waiting.count} new`}
      </button>
    </div>
  );
}
