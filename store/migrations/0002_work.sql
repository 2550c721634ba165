-- What package store/work keeps beside River's own tables, which River's
-- migrations make.

-- +goose Up

-- One row per keyed item from when it is queued until it starts. A dropped
-- item has been replaced by one that is due sooner, and does nothing.
CREATE TABLE work_item (
    token   TEXT    NOT NULL PRIMARY KEY,
    kind    TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    run_at  BIGINT  NOT NULL,
    dropped BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX work_item_waiting ON work_item (kind, key) WHERE NOT dropped;

-- The processes that work, and when each last said that it lives.
CREATE TABLE work_process (
    id      TEXT   NOT NULL PRIMARY KEY,
    seen_at BIGINT NOT NULL
);

-- When each periodic item is due next.
CREATE TABLE work_periodic (
    key     TEXT   NOT NULL PRIMARY KEY,
    spec    TEXT   NOT NULL,
    next_at BIGINT NOT NULL
);
