'use client';

import { type Column, DataTable } from '../../../ui/DataTable.tsx';
import { readSchema } from '../settings/read-schema.ts';
import { type SettingRow, settingsRows } from '../settings/settings-rows.ts';
import { toForm } from '../settings/to-form.ts';
import classes from './Connectors.module.css';

/** A connector's settings as its schema says them, to read. */
export function SettingsTable({ label, schema }: { label: string; schema: string }) {
  const read = readSchema(schema);
  if (!read.ok) return <p className={classes.dim}>The connector’s settings schema cannot be read: {read.reason} Its settings are edited as JSON.</p>;
  const rows = settingsRows(toForm(read.schema)).map((row, index) => ({ ...row, key: `${index} ${row.path}` }));
  if (rows.length === 0) return <p className={classes.dim}>It has nothing to set.</p>;
  return (
    <div className={classes.box}>
      <DataTable label={label} plainHead keys={false} columns={columns} rows={rows} rowKey={(row) => row.key} />
    </div>
  );
}

const columns: Column<SettingRow>[] = [
  {
    id: 'title',
    header: 'Setting',
    cell: (row) => (
      <div className={classes.setting} style={{ '--depth': row.depth } as React.CSSProperties}>
        {row.title}
        {row.path && <code>{row.path}</code>}
      </div>
    ),
    width: '22%',
    narrow: 'title',
  },
  { id: 'kind', header: 'Value', cell: (row) => row.kind, width: '20%', narrow: 'meta' },
  {
    id: 'fallback',
    header: 'If left out',
    cell: (row) => (row.fallback !== null ? <code className={classes.value}>{row.fallback}</code> : row.required ? 'Required' : ''),
    width: '16%',
    narrow: 'side',
  },
  { id: 'help', header: 'What it is', width: '42%', cell: (row) => row.help && <span className={classes.dim}>{row.help}</span>, narrow: 'full' },
];
