// Follows the newest line while the reader is at the end, and leaves a reader who scrolled up alone.
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';

const AT_END_PX = 4;
const NEAR_PX = 64;

interface Follow {
  scroller: RefObject<HTMLDivElement | null>;
  content: RefObject<HTMLDivElement | null>;
  following: boolean;
  toEnd: () => void;
  /** Call before older lines are put on top: the line being read stays where it is. */
  keepPlace: () => void;
}

/** `firstKey`: the oldest line shown. `sent`: counts what the reader sent, after which they want to see the end. */
export function useFollow(firstKey: string | undefined, sent: number): Follow {
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
    let top = box.scrollTop;
    const noted = () => {
      // Growth alone never moves the top up: only a reader does, so only that stops the following.
      const below = box.scrollHeight - box.scrollTop - box.clientHeight;
      const up = box.scrollTop < top;
      if (below < AT_END_PX || (below < NEAR_PX && !up)) atEnd.current = true;
      else if (up) atEnd.current = false;
      top = box.scrollTop;
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

  // biome-ignore lint/correctness/useExhaustiveDependencies: runs once for each thing sent
  useEffect(() => {
    atEnd.current = true;
    toEnd();
  }, [sent, toEnd]);

  const keepPlace = useCallback(() => {
    const box = scroller.current;
    if (box !== null) fromBottom.current = box.scrollHeight - box.scrollTop;
  }, []);

  return { scroller, content, following, toEnd, keepPlace };
}
