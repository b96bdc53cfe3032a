CREATE TABLE receipts (
  name TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  echoes TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX receipts_expiry ON receipts (expires_at);
