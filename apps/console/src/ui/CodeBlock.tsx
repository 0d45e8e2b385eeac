'use client';

import { CopyButton } from './CopyButton.tsx';
import classes from './CodeBlock.module.css';

interface CodeBlockProps {
  code: string;
  /** For the copy button and screen readers: "curl line". */
  what: string;
  /** Breaks long lines instead of scrolling. */
  wrap?: boolean;
  maxHeight?: number;
}

/** Text as it is, in monospace, with a copy button. */
export function CodeBlock({ code, what, wrap = false, maxHeight }: CodeBlockProps) {
  return (
    <div className={classes.block}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
      <pre className={classes.pre} data-wrap={wrap || undefined} style={{ maxHeight }} tabIndex={0} aria-label={what}>
        {code}
      </pre>
      <div className={classes.copy}>
        <CopyButton value={code} what={what} />
      </div>
    </div>
  );
}
