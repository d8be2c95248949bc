-- Which requests of stable were also sent to a canary, and what that answered to the copies. They are nobody's evidence of
-- quality: labels are joined to `requests` alone.

ALTER TABLE requests ADD COLUMN mirrored INTEGER NOT NULL DEFAULT 0;

CREATE TABLE copies (
    id TEXT PRIMARY KEY,
    at REAL NOT NULL,
    arm TEXT NOT NULL,
    rows_n INTEGER NOT NULL,
    prediction REAL NOT NULL
) STRICT;
