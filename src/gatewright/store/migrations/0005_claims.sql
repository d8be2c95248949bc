-- Which change of data has whose run: one row for a model, its data and its code, taken by compare-and-set.

CREATE TABLE claims (
    id TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    data_digest TEXT NOT NULL,
    code_digest TEXT NOT NULL,
    data TEXT NOT NULL,
    reason TEXT NOT NULL,
    run TEXT NOT NULL,
    start TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    claimed_at TEXT NOT NULL,
    lease_until TEXT NOT NULL,
    not_before TEXT NOT NULL,
    outcome TEXT NOT NULL,
    place TEXT NOT NULL,
    UNIQUE (model, data_digest, code_digest)
) STRICT;

-- What a source of data was last seen to hold. The pin is the source's own; whole says that the version of then was
-- everything at the uri.
CREATE TABLE pins (
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    uri TEXT NOT NULL,
    pin TEXT NOT NULL,
    whole INTEGER NOT NULL,
    version TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    PRIMARY KEY (name, role, uri)
) STRICT;
