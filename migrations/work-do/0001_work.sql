CREATE TABLE work (
  id TEXT PRIMARY KEY,
  session_id TEXT NOT NULL,
  state TEXT NOT NULL,
  queued_at INTEGER NOT NULL,
  offered_at INTEGER,
  lease_until INTEGER,
  lost_at INTEGER,
  item TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX work_queued ON work (queued_at, id) WHERE state = 'queued';
CREATE INDEX work_leases ON work (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX work_lost ON work (id) WHERE lost_at IS NOT NULL;
CREATE INDEX work_session ON work (session_id);
CREATE INDEX work_stopped ON work (queued_at) WHERE state = 'stopped';
CREATE TABLE address (only INTEGER PRIMARY KEY, json TEXT NOT NULL);
