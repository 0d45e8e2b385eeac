'use client';

import { Anchor, VisuallyHidden } from '@mantine/core';
import { IconBan } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { SourceSpec } from '@vrsky/contracts/pipeline-spec';
import Link from 'next/link';
import { paths } from '../../../lib/paths.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { formatCount } from '../../../ui/format.ts';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { refusalWords } from '../../connectors/api.tsx';
import { useSlug } from '../../tenancy/api.tsx';
import { isOpenSource, schemeOf } from '../open-source.ts';
import { toned } from './DestinationNotices.tsx';
import classes from './Notices.module.css';

const FRESH_MS = 3_600_000;

/** What the source refused in the last 24 hours, why, and what to do. Nothing while it refused nothing. */
export function RefusalsNotice({ pipelineId, source }: { pipelineId: string; source: SourceSpec }) {
  const slug = useSlug();
  const { data = [] } = useQuery(useTRPC().connectors.refusals.queryOptions({ pipelineId }));
  const refusals = data.filter(({ sourceId }) => sourceId === source.id);
  const total = refusals.reduce((sum, { count }) => sum + count, 0);
  const lastMs = Math.max(0, ...refusals.map(({ lastAt }) => Date.parse(lastAt)));
  const title = total > 0 ? `${formatCount(total, 'request')} refused in the last 24 hours` : '';
  return (
    <>
      {/* Said once; the times in the notice go on ticking. */}
      <VisuallyHidden role="status">{title}</VisuallyHidden>
      {total > 0 && (
        <section className={classes.notice} style={toned('wait')} aria-label="Refused requests">
          <IconBan size={17} aria-hidden />
          {/* Out of the way when it is an old story. */}
          <details className={classes.body} open={Date.now() - lastMs < FRESH_MS}>
            <summary>
              <h2>{title}</h2>
            </summary>
            <ul className={classes.reasons}>
              {refusals.map(({ reason, count, lastAt }) => {
                const { what, todo } = refusalWords(reason, schemeOf(source));
                return (
                  <li key={reason}>
                    <div className={classes.reason}>
                      <b>{what}</b>
                      <span>{formatCount(count, 'request')}</span>
                      <span>
                        last <RelativeTime at={lastAt} />
                      </span>
                    </div>
                    {todo}
                  </li>
                );
              })}
            </ul>
            <p>Nothing of them was taken in, and the sender was told why.</p>
            <p className={classes.times}>
              {!isOpenSource(source) && (
                <Anchor component={Link} href={paths.secrets(slug)} size="sm" underline="always">
                  Secrets
                </Anchor>
              )}
              <Anchor component={Link} href={paths.connector(slug, source.connector)} size="sm" underline="always">
                All events of the connector
              </Anchor>
            </p>
          </details>
        </section>
      )}
    </>
  );
}
