-- Who set the owner and the issue of a cluster of failures, and when.
-- +goose Up

ALTER TABLE triage_cluster ADD COLUMN owner_by TEXT NOT NULL DEFAULT '';
ALTER TABLE triage_cluster ADD COLUMN owner_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE triage_cluster ADD COLUMN issue_by TEXT NOT NULL DEFAULT '';
ALTER TABLE triage_cluster ADD COLUMN issue_at BIGINT NOT NULL DEFAULT 0;
