-- +goose Up

-- What many lines together say. document is the whole as JSON; the columns
-- beside it are what is searched for. Codes are no words: a diagnosis may stay
-- open for longer than any row with its words is kept. resolved is when it was,
-- NULL while it is open; parent is '' where no other explains it.
CREATE TABLE diagnosis (
    id        TEXT    NOT NULL PRIMARY KEY,
    cluster   INTEGER NOT NULL REFERENCES cluster (id),
    code      TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    state     TEXT    NOT NULL,
    severity  TEXT    NOT NULL,
    parent    TEXT    NOT NULL,
    last_seen INTEGER NOT NULL,
    resolved  INTEGER,
    document  TEXT    NOT NULL
) STRICT;

CREATE INDEX diagnosis_state ON diagnosis (state, last_seen, id);
CREATE INDEX diagnosis_cluster ON diagnosis (cluster, state, last_seen, id);
CREATE INDEX diagnosis_subject ON diagnosis (subject, last_seen, id) WHERE subject <> '';
CREATE INDEX diagnosis_last ON diagnosis (last_seen, id);
CREATE INDEX diagnosis_resolved ON diagnosis (resolved) WHERE resolved IS NOT NULL;

-- Grants counted by the hour, now by session and STS endpoint too and with the
-- hours of one cluster together. All but cluster, benign, times and n are
-- words; 0 stands for a word that was not kept.
CREATE TABLE grant_span (
    cluster      INTEGER NOT NULL,
    hour         INTEGER NOT NULL,
    principal    INTEGER NOT NULL,
    kind         INTEGER NOT NULL,
    user_id      INTEGER NOT NULL,
    session      INTEGER NOT NULL,
    username     INTEGER NOT NULL,
    groups       INTEGER NOT NULL,
    sts_endpoint INTEGER NOT NULL,
    account      INTEGER NOT NULL,
    benign       INTEGER NOT NULL,
    n            INTEGER NOT NULL,
    first        INTEGER NOT NULL,
    last         INTEGER NOT NULL,
    PRIMARY KEY (cluster, hour, principal, kind, user_id, session, username, groups, sts_endpoint)
) STRICT, WITHOUT ROWID;

INSERT INTO grant_span (cluster, hour, principal, kind, user_id, session, username, groups, sts_endpoint, account, benign, n, first, last)
SELECT g.cluster, g.hour, g.principal, g.kind, g.user_id, 0, g.username, g.groups, 0, 0, ifnull(k.text = 'aws', 0), g.n, g.first, g.last
FROM grant_hour g LEFT JOIN word k ON k.id = g.kind;

DROP TABLE grant_hour;
ALTER TABLE grant_span RENAME TO grant_hour;

-- The first and last denial of the hour.
ALTER TABLE denial_hour ADD COLUMN first INTEGER NOT NULL DEFAULT 0;
ALTER TABLE denial_hour ADD COLUMN last INTEGER NOT NULL DEFAULT 0;
UPDATE denial_hour SET first = hour * 3600000, last = hour * 3600000 + 3599999;
CREATE INDEX denial_hour_cluster ON denial_hour (cluster, hour);

-- Who came where, under which unique id and session, was granted (1) or denied
-- (0), how often and when. kind, account and benign are those of the last time.
-- As long as a denial or an hour of grants is kept, its principal is here.
CREATE TABLE sighting (
    cluster   INTEGER NOT NULL,
    principal INTEGER NOT NULL,
    granted   INTEGER NOT NULL,
    user_id   INTEGER NOT NULL,
    session   INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    account   INTEGER NOT NULL,
    benign    INTEGER NOT NULL,
    n         INTEGER NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    PRIMARY KEY (cluster, principal, granted, user_id, session)
) STRICT, WITHOUT ROWID;

CREATE INDEX sighting_principal ON sighting (principal);

INSERT INTO sighting (cluster, principal, granted, user_id, session, kind, account, benign, n, first, last)
SELECT cluster, principal, 1, user_id, 0, max(kind), 0, max(benign), sum(n), min(first), max(last)
FROM grant_hour GROUP BY cluster, principal, user_id;

INSERT INTO sighting (cluster, principal, granted, user_id, session, kind, account, benign, n, first, last)
SELECT h.cluster, h.principal, 0, 0, 0, ifnull(max(d.kind), 0), ifnull(max(d.account), 0), ifnull(max(d.benign), 0), h.n, h.first, h.last
FROM (SELECT cluster, principal, sum(n) AS n, min(first) AS first, max(last) AS last
        FROM denial_hour WHERE principal > 0 GROUP BY cluster, principal) h
    LEFT JOIN denial d ON d.n = (SELECT max(n) FROM denial e WHERE e.principal = h.principal AND e.cluster = h.cluster)
GROUP BY h.cluster, h.principal;

CREATE INDEX marker_cluster ON marker (cluster, id);
