-- The share, 0 to 1, of stable's requests that are copied to a canary without weight, and how often a route was to be
-- written once more because the draws did not fit its weight.

ALTER TABLE routes ADD COLUMN mirror REAL NOT NULL DEFAULT 0;
ALTER TABLE routes ADD COLUMN reapplied INTEGER NOT NULL DEFAULT 0;
