-- +goose Up

-- One row. last is the newest place in the order of saving that was given out:
-- denial.n and change.n take theirs from it, so that together they are in the
-- order of saving, and none is ever given out again. secret is what makes
-- places unreadable to callers.
CREATE TABLE feed (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    last   INTEGER NOT NULL,
    secret BLOB    NOT NULL
) STRICT;

INSERT INTO feed (one, last, secret) SELECT 1, ifnull(max(n), 0), randomblob(16) FROM denial;

-- Diagnoses that opened or were resolved, as they were then; time is when it
-- was resolved or last seen.
CREATE TABLE change (
    n        INTEGER PRIMARY KEY,
    cluster  INTEGER NOT NULL REFERENCES cluster (id),
    kind     TEXT    NOT NULL,
    time     INTEGER NOT NULL,
    document TEXT    NOT NULL
) STRICT;

CREATE INDEX change_time ON change (time);

-- The newest place of the cluster whose row was deleted, 0 if none was.
ALTER TABLE cluster ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;

-- +goose StatementBegin
CREATE TRIGGER denial_pruned AFTER DELETE ON denial BEGIN
    UPDATE cluster SET pruned = old.n WHERE id = old.cluster AND pruned < old.n;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER change_pruned AFTER DELETE ON change BEGIN
    UPDATE cluster SET pruned = old.n WHERE id = old.cluster AND pruned < old.n;
END;
-- +goose StatementEnd
