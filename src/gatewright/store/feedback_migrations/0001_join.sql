-- Predictions and labels, joined by request. Times are seconds since the epoch, weights are per cent, arms the first
-- twelve digits of a model's digest. `requests` can be made again from the segments; labels cannot.

CREATE TABLE segments (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT;

CREATE TABLE requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    at REAL NOT NULL,
    rollout TEXT NOT NULL,
    weight REAL NOT NULL,
    arm TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    copies INTEGER NOT NULL DEFAULT 1,
    chosen INTEGER NOT NULL,
    rows_n INTEGER NOT NULL,
    prediction REAL NOT NULL,
    user TEXT NOT NULL
) STRICT;
CREATE INDEX requests_by_arrival ON requests (at);

CREATE TABLE labels (
    id TEXT PRIMARY KEY,
    at REAL NOT NULL,
    label TEXT NOT NULL
) STRICT;

CREATE TABLE joined (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    at REAL NOT NULL,
    arrived REAL NOT NULL,
    rollout TEXT NOT NULL,
    weight REAL NOT NULL,
    arm TEXT NOT NULL,
    prediction REAL NOT NULL,
    label REAL NOT NULL,
    user TEXT NOT NULL
) STRICT;
CREATE INDEX joined_by_rollout ON joined (rollout, at);

CREATE TABLE totals (
    kind TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT;
