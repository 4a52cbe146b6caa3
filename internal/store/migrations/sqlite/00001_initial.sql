-- Times are milliseconds since 1970 in UTC, minutes and hours the same divided
-- by 60,000 and 3,600,000. A column that names a word holds word.id.

-- +goose Up

-- Strings that repeat, kept once. An id is never given out again, so that
-- whoever remembers one can trust it. used is the newest day that a row with
-- the word was saved on.
CREATE TABLE word (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    text TEXT    NOT NULL UNIQUE,
    used INTEGER NOT NULL
) STRICT;

-- last_event and last_denial are 0 where there is none.
CREATE TABLE cluster (
    id          INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL,
    account     TEXT    NOT NULL,
    region      TEXT    NOT NULL,
    last_event  INTEGER NOT NULL,
    last_denial INTEGER NOT NULL,
    UNIQUE (name, account, region)
) STRICT;

-- How far each log group was read; NULL where a time is not set. streams is a
-- JSON array.
CREATE TABLE cursor (
    cluster   INTEGER NOT NULL REFERENCES cluster (id),
    lane      TEXT    NOT NULL,
    created   INTEGER,
    start     INTEGER,
    "end"     INTEGER,
    watermark INTEGER,
    through   INTEGER,
    streams   TEXT    NOT NULL,
    PRIMARY KEY (cluster, lane)
) STRICT, WITHOUT ROWID;

-- keys are those of the lines counted already, 16 bytes each, ascending.
CREATE TABLE seen (
    n       INTEGER PRIMARY KEY,
    cluster INTEGER NOT NULL REFERENCES cluster (id),
    minute  INTEGER NOT NULL,
    keys    BLOB    NOT NULL,
    UNIQUE (cluster, minute)
) STRICT;

-- The 16 bytes of id begin with the time, so its order is that of time. n
-- grows with each row saved. principal is NULL where the line does not say who
-- it was, and so are kind and account.
CREATE TABLE denial (
    n             INTEGER PRIMARY KEY,
    id            BLOB    NOT NULL,
    cluster       INTEGER NOT NULL,
    reason        INTEGER NOT NULL,
    principal     INTEGER,
    stream        INTEGER NOT NULL,
    kind          INTEGER,
    account       INTEGER,
    sts_endpoint  INTEGER NOT NULL,
    benign        INTEGER NOT NULL,
    session       TEXT    NOT NULL,
    user_id       TEXT    NOT NULL,
    access_key_id TEXT    NOT NULL,
    client        TEXT    NOT NULL,
    error         TEXT    NOT NULL,
    raw           BLOB    NOT NULL
) STRICT;

-- An id belongs to one cluster only; the column spares a look at the row.
CREATE UNIQUE INDEX denial_id ON denial (id, cluster);
CREATE INDEX denial_cluster ON denial (cluster, id);
CREATE INDEX denial_reason ON denial (cluster, reason, id);
CREATE INDEX denial_principal ON denial (principal, cluster, reason, id) WHERE principal IS NOT NULL;

-- Who was denied where and why, and when last: as long as a denial is kept,
-- its row is here.
CREATE TABLE denied (
    cluster   INTEGER NOT NULL,
    principal INTEGER NOT NULL,
    reason    INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    PRIMARY KEY (cluster, principal, reason)
) STRICT, WITHOUT ROWID;

CREATE INDEX denied_last ON denied (last, cluster, principal);

-- Denials counted by the hour; principal is 0 where the line does not say.
CREATE TABLE denial_hour (
    hour      INTEGER NOT NULL,
    cluster   INTEGER NOT NULL,
    reason    INTEGER NOT NULL,
    principal INTEGER NOT NULL,
    n         INTEGER NOT NULL,
    PRIMARY KEY (hour, cluster, reason, principal)
) STRICT, WITHOUT ROWID;

-- Grants counted by the hour; all but cluster, times and n are words.
CREATE TABLE grant_hour (
    hour      INTEGER NOT NULL,
    cluster   INTEGER NOT NULL,
    principal INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    user_id   INTEGER NOT NULL,
    username  INTEGER NOT NULL,
    groups    INTEGER NOT NULL,
    n         INTEGER NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    PRIMARY KEY (hour, cluster, principal, kind, user_id, username, groups)
) STRICT, WITHOUT ROWID;

CREATE TABLE marker (
    n       INTEGER PRIMARY KEY,
    id      BLOB    NOT NULL UNIQUE,
    cluster INTEGER NOT NULL,
    code    INTEGER NOT NULL,
    stream  INTEGER NOT NULL,
    msg     TEXT    NOT NULL,
    raw     BLOB    NOT NULL
) STRICT;

CREATE TABLE sample (
    n       INTEGER PRIMARY KEY,
    id      BLOB    NOT NULL UNIQUE,
    cluster INTEGER NOT NULL,
    code    INTEGER NOT NULL,
    stream  INTEGER NOT NULL,
    raw     BLOB    NOT NULL
) STRICT;

CREATE INDEX sample_code ON sample (cluster, code, id);
