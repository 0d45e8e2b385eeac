'use client';

import { usePathname, useSearchParams } from 'next/navigation';
import { useCallback } from 'react';

/** The step that is open, and which of its fixtures is looked at; null is its sample. */
export interface StepPlace {
  step: string;
  fixture: number | null;
}

/** What is open lives in the address: a link brings it back, and so does the browser's Back. */
export function useStepPlace(): [place: StepPlace | null, go: (to: StepPlace | null) => void] {
  const search = useSearchParams();
  const path = usePathname();
  const step = search.get('step');
  const number = Number(search.get('fixture'));
  const go = useCallback(
    (to: StepPlace | null) => {
      const query = to === null ? '' : `?step=${encodeURIComponent(to.step)}${to.fixture === null ? '' : `&fixture=${to.fixture + 1}`}`;
      // Between the inputs of a step nobody wants to go back.
      const same = to !== null && new URLSearchParams(window.location.search).get('step') === to.step;
      // Nothing is asked of the server: the page has the whole draft.
      window.history[same ? 'replaceState' : 'pushState'](null, '', `${path}${query}`);
    },
    [path],
  );
  return [step === null ? null : { step, fixture: Number.isInteger(number) && number > 0 ? number - 1 : null }, go];
}
