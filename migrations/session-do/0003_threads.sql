-- Rows of threads are skipped by their first columns: what stands behind `data` costs the reading of it.
CREATE TABLE events_of_threads (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  type TEXT NOT NULL,
  thread TEXT,
  shared INTEGER NOT NULL DEFAULT 0,
  processed_at INTEGER,
  hidden INTEGER NOT NULL DEFAULT 0,
  data TEXT NOT NULL,
  note TEXT
);
INSERT INTO events_of_threads (seq, id, type, processed_at, hidden, data, note)
  SELECT seq, id, type, processed_at, hidden, data, note FROM events ORDER BY seq;
DROP TABLE events;
ALTER TABLE events_of_threads RENAME TO events;
CREATE INDEX events_by_id ON events (id);
CREATE INDEX events_in_session ON events (seq) WHERE thread IS NULL OR shared = 1;
CREATE INDEX events_in_thread ON events (thread, seq) WHERE thread IS NOT NULL;
CREATE TABLE snapshot (
  place INTEGER PRIMARY KEY CHECK (place = 1),
  seq INTEGER NOT NULL,
  state TEXT NOT NULL
);
CREATE TABLE drafts (
  place INTEGER PRIMARY KEY,
  event_id TEXT NOT NULL,
  thread TEXT,
  text TEXT NOT NULL
);
CREATE INDEX drafts_by_event ON drafts (event_id);
