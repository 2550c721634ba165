-- A second text of each statement, which shows what varies.
-- +goose Up

ALTER TABLE triage_text ADD COLUMN other TEXT NOT NULL DEFAULT '';
