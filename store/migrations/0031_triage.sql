-- Failures of tests and the clusters they belong to.
-- Numbers are given by whoever writes: triage_state says what the next writer
-- must have read before.
-- +goose Up

CREATE TABLE triage_state (
    one   BIGINT PRIMARY KEY,
    seq   BIGINT NOT NULL,
    epoch BIGINT NOT NULL
);
INSERT INTO triage_state (one, seq, epoch) VALUES (1, 0, 0);

CREATE TABLE triage_cluster (
    number     BIGINT PRIMARY KEY,
    seq        BIGINT NOT NULL,
    id         TEXT NOT NULL UNIQUE,
    text       TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen  BIGINT NOT NULL,
    origins    TEXT NOT NULL,
    owner      TEXT NOT NULL,
    issue      TEXT NOT NULL,
    hits       BIGINT NOT NULL,
    into_id    TEXT NOT NULL,
    from_id    TEXT NOT NULL
);
CREATE INDEX triage_cluster_seq ON triage_cluster (seq);

CREATE TABLE triage_text (
    number  BIGINT PRIMARY KEY,
    seq     BIGINT NOT NULL,
    cluster BIGINT NOT NULL,
    hash    TEXT NOT NULL UNIQUE,
    sample  TEXT NOT NULL
);
CREATE INDEX triage_text_seq ON triage_text (seq);

CREATE TABLE triage_test (
    number BIGINT PRIMARY KEY,
    seq    BIGINT NOT NULL,
    name   TEXT NOT NULL
);
CREATE INDEX triage_test_seq ON triage_test (seq);

-- The failures of a build are pairs of numbers, of a test and of a text.
CREATE TABLE triage_build (
    number     BIGINT PRIMARY KEY,
    seq        BIGINT NOT NULL,
    path       TEXT NOT NULL UNIQUE,
    repo       TEXT NOT NULL,
    job        TEXT NOT NULL,
    branch     TEXT NOT NULL,
    pull       BIGINT NOT NULL,
    commit_sha TEXT NOT NULL,
    started    BIGINT NOT NULL,
    elapsed    BIGINT NOT NULL,
    tests      BIGINT NOT NULL,
    passed     BOOLEAN NOT NULL,
    failures   {{bytes}} NOT NULL
);
CREATE INDEX triage_build_seq ON triage_build (seq);
CREATE INDEX triage_build_started ON triage_build (started);
