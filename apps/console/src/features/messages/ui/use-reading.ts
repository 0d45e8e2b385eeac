'use client';

import { type RefObject, useEffect, useRef } from 'react';

/** Tells, when asked, whether somebody is reading a list: scrolled down, pointing into it, or with the keyboard in it. Then nothing may move. */
export function useReading(list: RefObject<HTMLElement | null>): () => boolean {
  const pointing = useRef(false);
  useEffect(() => {
    const element = list.current;
    if (!element) return;
    const enter = () => {
      pointing.current = true;
    };
    const leave = () => {
      pointing.current = false;
    };
    element.addEventListener('pointerenter', enter);
    element.addEventListener('pointerleave', leave);
    return () => {
      element.removeEventListener('pointerenter', enter);
      element.removeEventListener('pointerleave', leave);
    };
  }, [list]);
  return () => pointing.current || window.scrollY > 120 || list.current?.contains(document.activeElement) === true;
}
