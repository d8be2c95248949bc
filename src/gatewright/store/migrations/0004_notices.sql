-- What people are to be told, once for each notifier: written with the decision, told after its effects.

CREATE TABLE notices (
    id TEXT NOT NULL,
    notifier TEXT NOT NULL,
    model TEXT NOT NULL,
    at TEXT NOT NULL,
    body TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    next_at TEXT, -- empty when it was told or given up
    told_at TEXT,
    error TEXT,
    PRIMARY KEY (id, notifier)
) STRICT;
CREATE INDEX notices_due ON notices (next_at) WHERE next_at IS NOT NULL;
