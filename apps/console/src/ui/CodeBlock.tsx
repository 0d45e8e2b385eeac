'use client';

import classes from './CodeBlock.module.css';
import { CopyButton } from './CopyButton.tsx';

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
      <section className={classes.scroll} style={{ maxHeight }} tabIndex={0} aria-label={what}>
        <pre className={classes.pre} data-wrap={wrap || undefined}>
          {code}
        </pre>
      </section>
      <div className={classes.copy}>
        <CopyButton value={code} what={what} />
      </div>
    </div>
  );
}
