CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  type TEXT NOT NULL,
  processed_at INTEGER,
  hidden INTEGER NOT NULL DEFAULT 0,
  data TEXT NOT NULL,
  note TEXT
);
CREATE INDEX events_waiting ON events (id) WHERE processed_at IS NULL AND hidden = 0;
CREATE TABLE facts (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
