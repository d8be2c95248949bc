-- State that outlives a run. Times are ISO 8601 in UTC, digests are sha256:<hex>, weights are per cent.

CREATE TABLE versions (
    model TEXT NOT NULL,
    number INTEGER NOT NULL,
    digest TEXT NOT NULL,
    uri TEXT NOT NULL,
    size INTEGER NOT NULL,
    data_digest TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    report_digest TEXT NOT NULL,
    run TEXT NOT NULL,
    registered_at TEXT NOT NULL,
    PRIMARY KEY (model, number),
    UNIQUE (model, digest)
) STRICT;

CREATE TABLE serving (
    model TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    since TEXT NOT NULL,
    FOREIGN KEY (model, number) REFERENCES versions (model, number)
) STRICT;

CREATE TABLE rollouts (
    id TEXT PRIMARY KEY,
    run TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    phase TEXT NOT NULL,
    revision INTEGER NOT NULL,
    state TEXT NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT,
    lease_until TEXT
) STRICT;
CREATE UNIQUE INDEX one_active_rollout ON rollouts (model) WHERE phase NOT IN ('promoted', 'rolled_back');

CREATE TABLE ticks (
    rollout TEXT NOT NULL REFERENCES rollouts (id),
    revision INTEGER NOT NULL,
    at TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (rollout, revision)
) STRICT;

CREATE TABLE commands (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rollout TEXT NOT NULL REFERENCES rollouts (id),
    verb TEXT NOT NULL,
    actor TEXT NOT NULL,
    at TEXT NOT NULL,
    taken_at TEXT
) STRICT;

CREATE TABLE quarantine (
    model TEXT NOT NULL,
    digest TEXT NOT NULL,
    rollout TEXT NOT NULL,
    why TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (model, digest)
) STRICT;

CREATE TABLE records (
    seq INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    terminal INTEGER NOT NULL,
    body TEXT NOT NULL,
    previous TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE
) STRICT;
CREATE UNIQUE INDEX one_terminal_record ON records (run) WHERE terminal = 1;
CREATE TRIGGER records_are_not_edited BEFORE UPDATE ON records BEGIN SELECT RAISE(ABORT, 'records are append-only'); END;
CREATE TRIGGER records_are_not_deleted BEFORE DELETE ON records BEGIN SELECT RAISE(ABORT, 'records are append-only'); END;

-- What the runtime should serve (written by controllers) ...
CREATE TABLE routes (
    model TEXT PRIMARY KEY,
    rollout TEXT NOT NULL,
    stable TEXT,
    canary TEXT,
    fallback TEXT,
    fallback_until TEXT,
    weight REAL NOT NULL,
    epoch INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    renewals INTEGER NOT NULL,
    lease_s REAL NOT NULL
) STRICT;
CREATE TABLE arms (
    model TEXT NOT NULL,
    digest TEXT NOT NULL,
    uri TEXT NOT NULL,
    PRIMARY KEY (model, digest)
) STRICT;

-- ... and what runs (written by the supervisor).
CREATE TABLE processes (
    model TEXT NOT NULL, -- empty for the supervisor, which is there for all of them
    name TEXT NOT NULL,
    pid INTEGER NOT NULL,
    created REAL NOT NULL,
    digest TEXT,
    port INTEGER,
    ready INTEGER NOT NULL,
    restarts INTEGER NOT NULL,
    error TEXT,
    started_at TEXT NOT NULL,
    PRIMARY KEY (model, name)
) STRICT;
