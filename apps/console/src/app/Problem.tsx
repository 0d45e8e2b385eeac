import type { ReactNode } from 'react';
import { Logo } from '../ui/Logo.tsx';

/** A whole page that could not be shown: what happened, why, what to do. */
export function Problem({ title, children, actions }: { title: string; children: ReactNode; actions: ReactNode }) {
  return (
    <div className="problem">
      <div>
        <Logo size={32} />
        <h1>{title}</h1>
        <p>{children}</p>
        <div className="problem-actions">{actions}</div>
      </div>
    </div>
  );
}
