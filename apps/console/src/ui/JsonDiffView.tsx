'use client';

import { useMemo, useState } from 'react';
import classes from './JsonDiff.module.css';
import { type DiffLine, lineDiff } from './line-diff.ts';
import { prettyText } from './pretty-text.ts';

interface JsonDiffProps {
  before: string;
  after: string;
  /** For screen readers: "What the step Reshape order changed". */
  label: string;
  /** Takes the whole of its place, without a border of its own. */
  fill?: boolean;
}

const marks = { same: ' ', added: '+', removed: '−' } as const;
const words = { same: '', added: 'added: ', removed: 'removed: ' } as const;

export function JsonDiffView({ before, after, label, fill = false }: JsonDiffProps) {
  const [whole, setWhole] = useState(false);
  const lines = useMemo(() => lineDiff(prettyText(before), prettyText(after), whole ? Number.MAX_SAFE_INTEGER : 3), [before, after, whole]);
  const unchanged = lines.every((line) => line.kind === 'same');
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section className={classes.diff} data-fill={fill || undefined} tabIndex={0} aria-label={label}>
      {unchanged && <p className={classes.note}>The payload went through unchanged.</p>}
      <table>
        <tbody>
          {lines.map((line) => (
            <Line key={line.kind === 'skipped' ? `s${line.from}` : `${line.before}:${line.after}`} line={line} onUnfold={() => setWhole(true)} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Line({ line, onUnfold }: { line: DiffLine; onUnfold: () => void }) {
  if (line.kind === 'skipped') {
    return (
      <tr className={classes.skipped}>
        <td colSpan={4}>
          <button type="button" onClick={onUnfold}>
            Show {line.lines} unchanged lines
          </button>
        </td>
      </tr>
    );
  }
  return (
    <tr className={classes.line} data-kind={line.kind}>
      <td className={classes.number}>{line.before}</td>
      <td className={classes.number}>{line.after}</td>
      <td className={classes.mark} aria-hidden>
        {marks[line.kind]}
      </td>
      <td className={classes.text}>
        {words[line.kind] && <span className="visually-hidden">{words[line.kind]}</span>}
        {line.text}
      </td>
    </tr>
  );
}
