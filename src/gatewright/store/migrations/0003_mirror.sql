-- The share, 0 to 1, of stable's requests that are copied to a canary without weight.

ALTER TABLE routes ADD COLUMN mirror REAL NOT NULL DEFAULT 0;
