-- The event log, the executions of jobs, flow journals, decisions, settings.

-- +goose Up

CREATE TABLE event (
    seq         {{autokey}},
    delivery    TEXT   NOT NULL UNIQUE,
    kind        TEXT   NOT NULL,
    action      TEXT   NOT NULL,
    repo        TEXT   NOT NULL,
    sender      TEXT   NOT NULL,
    received_at BIGINT NOT NULL,
    payload     {{bytes}},
    content     TEXT   NOT NULL
);
CREATE INDEX event_by_repo ON event (repo, seq);
{{appendonly "event"}}

-- Apart from the log, because the log never changes.
CREATE TABLE event_handled (
    seq        BIGINT NOT NULL PRIMARY KEY REFERENCES event (seq),
    outcome    TEXT   NOT NULL,
    handled_at BIGINT NOT NULL
);

CREATE TABLE execution (
    id          TEXT    NOT NULL PRIMARY KEY,
    build_id    BIGINT  NOT NULL UNIQUE,
    key         TEXT    NOT NULL,
    job         TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    context     TEXT    NOT NULL,
    repo        TEXT    NOT NULL,
    base_sha    TEXT    NOT NULL,
    refs        TEXT    NOT NULL,
    extra       TEXT    NOT NULL,
    spec        TEXT    NOT NULL,
    optional    BOOLEAN NOT NULL,
    report      BOOLEAN NOT NULL,
    cause       TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    description TEXT    NOT NULL,
    path        TEXT    NOT NULL,
    owner       TEXT    NOT NULL,
    lease_until BIGINT  NOT NULL,
    created_at  BIGINT  NOT NULL,
    started_at  BIGINT  NOT NULL,
    finished_at BIGINT  NOT NULL
);
CREATE UNIQUE INDEX execution_key ON execution (key) WHERE key <> '';
CREATE INDEX execution_by_job ON execution (job, build_id);
CREATE INDEX execution_by_repo ON execution (repo, build_id);
CREATE INDEX execution_unfinished ON execution (build_id) WHERE state IN ('triggered', 'pending');

-- The pull requests an execution tests: what it is looked up by.
CREATE TABLE execution_pull (
    execution TEXT   NOT NULL REFERENCES execution (id),
    number    BIGINT NOT NULL,
    sha       TEXT   NOT NULL,
    PRIMARY KEY (execution, number)
);
CREATE INDEX execution_pull_by_number ON execution_pull (number);
CREATE INDEX execution_pull_by_sha ON execution_pull (sha);

CREATE TABLE flow_run (
    id          TEXT    NOT NULL PRIMARY KEY,
    flow        TEXT    NOT NULL,
    version     BIGINT  NOT NULL,
    key         TEXT    NOT NULL,
    params      TEXT    NOT NULL,
    mock        BOOLEAN NOT NULL,
    state       TEXT    NOT NULL,
    actor       TEXT    NOT NULL,
    created_at  BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL,
    last_seq    BIGINT  NOT NULL,
    lease_owner TEXT    NOT NULL,
    lease_until BIGINT  NOT NULL
);
CREATE UNIQUE INDEX flow_run_busy ON flow_run (key)
    WHERE key <> '' AND state NOT IN ('succeeded', 'failed', 'canceled');
CREATE INDEX flow_run_newest ON flow_run (created_at, id);

CREATE TABLE flow_entry (
    run     TEXT   NOT NULL REFERENCES flow_run (id),
    seq     BIGINT NOT NULL,
    step    TEXT   NOT NULL,
    kind    TEXT   NOT NULL,
    attempt BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    message TEXT   NOT NULL,
    data    TEXT   NOT NULL,
    PRIMARY KEY (run, seq)
);
{{appendonly "flow_entry"}}

CREATE TABLE decision (
    id      {{autokey}},
    kind    TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    verdict TEXT   NOT NULL,
    reason  TEXT   NOT NULL,
    inputs  TEXT   NOT NULL,
    at      BIGINT NOT NULL
);
CREATE INDEX decision_by_subject ON decision (kind, subject, id);
{{appendonly "decision"}}

CREATE TABLE setting (
    key        TEXT   NOT NULL PRIMARY KEY,
    value      TEXT   NOT NULL,
    updated_at BIGINT NOT NULL
);

-- One row: the last build id given out.
CREATE TABLE build_id (
    last BIGINT NOT NULL
);
INSERT INTO build_id (last) VALUES (0);
