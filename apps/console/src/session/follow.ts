// Follows the newest line while the reader is at the end, and leaves a reader who scrolled up alone.
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';

const NEAR_PX = 64;

interface Follow {
  scroller: RefObject<HTMLDivElement | null>;
  content: RefObject<HTMLDivElement | null>;
  following: boolean;
  toEnd: () => void;
  /** Call before older lines are put on top: the line being read stays where it is. */
  keepPlace: () => void;
}

export function useFollow(firstKey: string | undefined): Follow {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const fromBottom = useRef<number | null>(null);
  const [following, setFollowing] = useState(true);

  const toEnd = useCallback(() => {
    const box = scroller.current;
    if (box === null) return;
    box.scrollTop = box.scrollHeight;
  }, []);

  useEffect(() => {
    const box = scroller.current;
    const inner = content.current;
    if (box === null || inner === null) return;
    const noted = () => {
      atEnd.current = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
      setFollowing(atEnd.current);
    };
    const grown = new ResizeObserver(() => {
      if (atEnd.current) toEnd();
      else noted();
    });
    box.addEventListener('scroll', noted, { passive: true });
    grown.observe(inner);
    grown.observe(box);
    return () => {
      box.removeEventListener('scroll', noted);
      grown.disconnect();
    };
  }, [toEnd]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the first line changes exactly when older ones were put above it
  useLayoutEffect(() => {
    const box = scroller.current;
    if (box === null || fromBottom.current === null) return;
    box.scrollTop = box.scrollHeight - fromBottom.current;
    fromBottom.current = null;
  }, [firstKey]);

  const keepPlace = useCallback(() => {
    const box = scroller.current;
    if (box !== null) fromBottom.current = box.scrollHeight - box.scrollTop;
  }, []);

  return { scroller, content, following, toEnd, keepPlace };
}
