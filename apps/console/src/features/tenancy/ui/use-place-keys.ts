'use client';

import { useRouter } from 'next/navigation';
import { useEffect } from 'react';
import { isTyping } from '../../../ui/use-row-keys.ts';
import { useSlug } from '../api.tsx';
import { places } from './navigation.ts';

const WITHIN_MS = 1_500;

/** g, then a place's letter, goes there. */
export function usePlaceKeys(): void {
  const router = useRouter();
  const slug = useSlug();
  useEffect(() => {
    let startedAt = Number.NEGATIVE_INFINITY;
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event)) return;
      if (event.key === 'g') {
        startedAt = event.timeStamp;
        return;
      }
      const place = event.timeStamp - startedAt < WITHIN_MS ? places.flat().find((item) => item.key === event.key) : undefined;
      startedAt = Number.NEGATIVE_INFINITY;
      if (!place) return;
      event.preventDefault();
      router.push(place.href(slug));
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [router, slug]);
}
