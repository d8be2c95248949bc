-- The slices of a request: a JSON list of their names, empty where none were asked for; and, of requests whose slices are
-- known, those on which the model failed at the first try.

ALTER TABLE requests ADD COLUMN slices TEXT NOT NULL DEFAULT '';

ALTER TABLE joined ADD COLUMN slices TEXT NOT NULL DEFAULT '';

CREATE TABLE failures (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    at REAL NOT NULL,
    rollout TEXT NOT NULL,
    weight REAL NOT NULL,
    arm TEXT NOT NULL,
    slices TEXT NOT NULL
) STRICT;
CREATE INDEX failures_by_arrival ON failures (at);
