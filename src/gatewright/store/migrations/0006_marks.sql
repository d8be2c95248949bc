-- What a registry beyond this database is to say that serves, written down before it is told.

CREATE TABLE marks (
    model TEXT NOT NULL,
    number INTEGER NOT NULL, -- counts up; the highest is what holds
    digest TEXT, -- empty: nothing serves
    rollout TEXT NOT NULL,
    told INTEGER NOT NULL DEFAULT 0, -- 1 when the registry was told and said so itself
    PRIMARY KEY (model, number)
) STRICT;
