'use client';

import { Skeleton } from '@mantine/core';
import { IconChevronDown, IconChevronUp } from '@tabler/icons-react';
import Link from 'next/link';
import { type ReactNode, useMemo, useRef, useState } from 'react';
import classes from './DataTable.module.css';
import { useRowKeys } from './use-row-keys.ts';

export interface Column<T> {
  id: string;
  header: string;
  cell: (row: T) => ReactNode;
  width?: number | string;
  align?: 'right';
  /** One line, cut with an ellipsis: for names and sentences. Give it a width in per cent. */
  cut?: true;
  /** On a narrow screen a row becomes a block: `title` and `side` on its first line, `full` on a line of its own, `meta` small below. */
  narrow?: 'title' | 'side' | 'full' | 'meta' | 'hide';
  /** Before the value on a narrow screen, when the value alone would not say what it is. */
  narrowLabel?: string;
  /** Only for lists that are complete: sorting one page of many would lie. */
  compare?: (a: T, b: T) => number;
}

export interface Selection {
  selected: ReadonlySet<string>;
  onChange: (selected: Set<string>) => void;
}

interface DataTableProps<T> {
  /** Names the table for screen readers. */
  label: string;
  columns: Column<T>[];
  rows: T[];
  rowKey: (row: T) => string;
  /** Where a row leads; its first column becomes the link, and the whole row follows it. */
  rowHref?: (row: T) => string;
  /** Names a row, for its checkbox. */
  rowLabel?: (row: T) => string;
  /** The row whose detail is open beside the table. */
  currentKey?: string | null;
  /** Rows that came while one was looking light up for a moment. */
  isNew?: (row: T) => boolean;
  selection?: Selection;
  /** j and k go from row to row, Enter opens, x selects. Off for a second table on a page. */
  keys?: boolean;
  /** The head does not stick: for a table inside something that scrolls or a short one. */
  plainHead?: boolean;
  /** Do not scroll to the top when a row is opened (its detail is on the same page). */
  keepScroll?: boolean;
}

/** A compact table: 36 px rows, keys, selection, and blocks instead of columns on a phone. */
export function DataTable<T>({
  label,
  columns,
  rows,
  rowKey,
  rowHref,
  rowLabel,
  currentKey,
  isNew,
  selection,
  keys = true,
  plainHead = false,
  keepScroll = false,
}: DataTableProps<T>) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [sort, setSort] = useState<{ id: string; down: boolean } | null>(null);
  useRowKeys(body, keys);

  const sorted = useMemo(() => {
    const compare = columns.find((column) => column.id === sort?.id)?.compare;
    if (!compare) return rows;
    return rows.toSorted((a, b) => (sort?.down ? compare(b, a) : compare(a, b)));
  }, [rows, columns, sort]);

  const toggle = (key: string) => {
    const next = new Set(selection?.selected);
    if (!next.delete(key)) next.add(key);
    selection?.onChange(next);
  };
  const allSelected = rows.length > 0 && rows.every((row) => selection?.selected.has(rowKey(row)));

  return (
    // Roles are written out because the narrow layout changes `display`, which takes a table's meaning away.
    <table className={classes.table} aria-label={label} role="table" data-plain={plainHead || undefined}>
      <thead role="rowgroup">
        <tr role="row">
          {selection && (
            <th scope="col" role="columnheader" className={classes.select}>
              <input
                type="checkbox"
                className={classes.check}
                aria-label="Select all rows"
                checked={allSelected}
                ref={(box) => {
                  if (box) box.indeterminate = !allSelected && selection.selected.size > 0;
                }}
                onChange={() => selection.onChange(allSelected ? new Set() : new Set(rows.map(rowKey)))}
              />
            </th>
          )}
          {columns.map((column) => (
            <th
              key={column.id}
              scope="col"
              role="columnheader"
              data-align={column.align}
              style={{ width: column.width }}
              aria-sort={sort?.id === column.id ? (sort.down ? 'descending' : 'ascending') : undefined}
            >
              {column.compare ? (
                <button type="button" className={classes.sort} onClick={() => setSort(nextSort(sort, column.id))}>
                  {column.header}
                  {sort?.id === column.id && (sort.down ? <IconChevronDown size={13} aria-hidden /> : <IconChevronUp size={13} aria-hidden />)}
                </button>
              ) : (
                column.header
              )}
            </th>
          ))}
        </tr>
      </thead>
      <tbody ref={body} role="rowgroup">
        {sorted.map((row) => {
          const key = rowKey(row);
          return (
            <tr
              key={key}
              role="row"
              className={classes.row}
              data-row={key}
              data-current={key === currentKey || undefined}
              data-new={isNew?.(row) || undefined}
              tabIndex={rowHref ? undefined : -1}
            >
              {selection && (
                <td role="cell" className={classes.select}>
                  <input
                    type="checkbox"
                    className={classes.check}
                    aria-label={`Select ${rowLabel?.(row) ?? key}`}
                    checked={selection.selected.has(key)}
                    onChange={() => toggle(key)}
                    data-row-select
                  />
                </td>
              )}
              {columns.map((column, i) => (
                <td
                  key={column.id}
                  role="cell"
                  data-align={column.align}
                  data-cut={column.cut}
                  data-narrow={column.narrow ?? (i === 0 ? 'title' : 'meta')}
                  data-label={column.narrowLabel}
                >
                  {i === 0 && rowHref ? (
                    <Link
                      href={rowHref(row)}
                      className={classes.link}
                      data-row-link
                      prefetch={false}
                      scroll={!keepScroll}
                      aria-current={key === currentKey || undefined}
                    >
                      {column.cell(row)}
                    </Link>
                  ) : (
                    column.cell(row)
                  )}
                </td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function nextSort(sort: { id: string; down: boolean } | null, id: string): { id: string; down: boolean } | null {
  if (sort?.id !== id) return { id, down: false };
  return sort.down ? null : { id, down: true };
}

/** The shape of a table that is on its way. */
export function TableSkeleton({ rows = 8, columns }: { rows?: number; columns: number }) {
  return (
    <div aria-hidden className={classes.skeleton} style={{ '--columns': columns } as React.CSSProperties}>
      {skeletonRows(rows, columns).map((row) => (
        <div key={row.key}>
          {row.cells.map((cell) => (
            <Skeleton key={cell.key} height={10} radius="sm" width={cell.width} />
          ))}
        </div>
      ))}
    </div>
  );
}

const SKELETON_WIDTHS = [68, 44, 80, 52, 60, 36, 72, 48];

/** Bars of uneven length, always the same ones. */
function skeletonRows(rows: number, columns: number) {
  return Array.from({ length: rows }, (_, row) => ({
    key: `row ${row}`,
    cells: Array.from({ length: columns }, (_, column) => ({
      key: `cell ${column}`,
      width: `${SKELETON_WIDTHS[(row * 3 + column * 5) % SKELETON_WIDTHS.length]}%`,
    })),
  }));
}
