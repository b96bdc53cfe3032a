// One live session for one page.
import { useMemo, useState, useSyncExternalStore } from 'react';
import { LiveSession, type View } from './live-session.ts';
import { type Timeline, toTimeline } from './timeline.ts';

export interface Live extends View {
  session: LiveSession;
  timeline: Timeline;
}

/** The page is remounted for another id. */
export function useLiveSession(id: string): Live {
  const [session] = useState(() => new LiveSession(id));
  const view = useSyncExternalStore(session.subscribe, session.view);
  const timeline = useMemo(() => toTimeline(view.snapshot), [view.snapshot]);
  return { ...view, session, timeline };
}
