-- What a command is bound to: the step, counted from 0, and the digest of the canary. Empty for the whole rollout.

ALTER TABLE commands ADD COLUMN step INTEGER;
ALTER TABLE commands ADD COLUMN digest TEXT;
