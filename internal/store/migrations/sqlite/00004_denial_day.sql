-- +goose Up

-- Denials counted by the day, for what is asked of months.
CREATE TABLE denial_day (
    day     INTEGER NOT NULL,
    cluster INTEGER NOT NULL,
    reason  INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (day, cluster, reason)
) STRICT, WITHOUT ROWID;

INSERT INTO denial_day (day, cluster, reason, n)
SELECT hour / 24, cluster, reason, sum(n) FROM denial_hour GROUP BY hour / 24, cluster, reason;
