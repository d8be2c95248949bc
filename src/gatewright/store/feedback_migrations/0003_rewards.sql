-- Whether what was told of a request is a label, or a reward from 0 to 1.

ALTER TABLE labels ADD COLUMN reward INTEGER NOT NULL DEFAULT 0;

ALTER TABLE joined ADD COLUMN reward INTEGER NOT NULL DEFAULT 0;
