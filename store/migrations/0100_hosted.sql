-- The embedded forge. Written once for SQLite and Postgres: identities come
-- from hosted_sequence, times are microseconds since 1970 (0: never), lists
-- are JSON arrays.

-- +goose Up
CREATE TABLE hosted_sequence (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO hosted_sequence (name, value) VALUES ('id', 1000);

CREATE TABLE hosted_accounts (
    id         BIGINT PRIMARY KEY,
    login      TEXT NOT NULL,
    name       TEXT NOT NULL,
    email      TEXT NOT NULL,
    kind       TEXT NOT NULL, -- User, Bot, Organization
    admin      BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX hosted_accounts_login ON hosted_accounts (lower(login));

CREATE TABLE hosted_tokens (
    hash       TEXT PRIMARY KEY, -- SHA-256 of the token, hexadecimal
    account_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE hosted_repos (
    id             BIGINT PRIMARY KEY,
    owner          TEXT NOT NULL,
    name           TEXT NOT NULL,
    description    TEXT NOT NULL,
    homepage       TEXT NOT NULL,
    default_branch TEXT NOT NULL,
    creator        TEXT NOT NULL,
    private        BOOLEAN NOT NULL,
    archived       BOOLEAN NOT NULL,
    fork_of        BIGINT NOT NULL, -- 0: not a fork
    last_number    BIGINT NOT NULL, -- of issues and pull requests
    last_milestone BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    pushed_at      BIGINT NOT NULL
);
CREATE UNIQUE INDEX hosted_repos_name ON hosted_repos (lower(owner), lower(name));

CREATE TABLE hosted_collaborators (
    repo_id    BIGINT NOT NULL,
    login      TEXT NOT NULL,
    permission TEXT NOT NULL, -- pull, triage, push, maintain, admin
    PRIMARY KEY (repo_id, login)
);

-- The refs whose position was announced. What git holds differs from this only
-- while a change is being announced, or after a crash in between.
CREATE TABLE hosted_refs (
    repo_id BIGINT NOT NULL,
    name    TEXT NOT NULL,
    sha     TEXT NOT NULL,
    PRIMARY KEY (repo_id, name)
);

CREATE TABLE hosted_protections (
    repo_id         BIGINT NOT NULL,
    branch          TEXT NOT NULL,
    require_checks  BOOLEAN NOT NULL,
    strict          BOOLEAN NOT NULL,
    contexts        TEXT NOT NULL,
    restricted      BOOLEAN NOT NULL,
    push_logins     TEXT NOT NULL,
    enforce_admins  BOOLEAN NOT NULL,
    reviews         BIGINT NOT NULL, -- approvals demanded; -1: pull requests not demanded
    bypass_logins   TEXT NOT NULL, -- who need no pull request
    allow_force     BOOLEAN NOT NULL,
    allow_deletion  BOOLEAN NOT NULL,
    linear_history  BOOLEAN NOT NULL,
    PRIMARY KEY (repo_id, branch)
);

-- Issues and pull requests share their numbers, and on the wire their routes.
CREATE TABLE hosted_issues (
    id           BIGINT PRIMARY KEY,
    repo_id      BIGINT NOT NULL,
    number       BIGINT NOT NULL,
    is_pull      BOOLEAN NOT NULL,
    title        TEXT NOT NULL,
    body         TEXT NOT NULL,
    author       TEXT NOT NULL,
    state        TEXT NOT NULL,
    state_reason TEXT NOT NULL,
    locked       BOOLEAN NOT NULL,
    milestone    BIGINT NOT NULL, -- number; 0: none
    closed_by    TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    closed_at    BIGINT NOT NULL,
    draft        BOOLEAN NOT NULL,
    base         TEXT NOT NULL,
    base_sha     TEXT NOT NULL,
    head         TEXT NOT NULL,
    head_repo_id BIGINT NOT NULL,
    head_sha     TEXT NOT NULL,
    merged       BOOLEAN NOT NULL,
    merge_sha    TEXT NOT NULL, -- set before the base branch moves, so that a crash between loses nothing
    merged_by    TEXT NOT NULL,
    merged_at    BIGINT NOT NULL,
    test_base    TEXT NOT NULL, -- what the test merge below was made from
    test_head    TEXT NOT NULL,
    test_sha     TEXT NOT NULL, -- empty: does not merge
    UNIQUE (repo_id, number)
);
CREATE INDEX hosted_issues_head ON hosted_issues (head_repo_id, head, state);

-- Which commits a pull request has or had when it landed.
CREATE TABLE hosted_pull_commits (
    repo_id BIGINT NOT NULL,
    sha     TEXT NOT NULL,
    number  BIGINT NOT NULL,
    PRIMARY KEY (repo_id, sha, number)
);
CREATE INDEX hosted_pull_commits_number ON hosted_pull_commits (repo_id, number);

CREATE TABLE hosted_issue_labels (
    issue_id BIGINT NOT NULL,
    label_id BIGINT NOT NULL,
    PRIMARY KEY (issue_id, label_id)
);
CREATE INDEX hosted_issue_labels_label ON hosted_issue_labels (label_id);

CREATE TABLE hosted_issue_people (
    issue_id BIGINT NOT NULL,
    role     TEXT NOT NULL, -- assignee, reviewer
    login    TEXT NOT NULL,
    PRIMARY KEY (issue_id, role, login)
);

CREATE TABLE hosted_comments (
    id         BIGINT PRIMARY KEY,
    repo_id    BIGINT NOT NULL,
    number     BIGINT NOT NULL,
    author     TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX hosted_comments_issue ON hosted_comments (repo_id, number);

CREATE TABLE hosted_reviews (
    id           BIGINT PRIMARY KEY,
    repo_id      BIGINT NOT NULL,
    number       BIGINT NOT NULL,
    author       TEXT NOT NULL,
    body         TEXT NOT NULL,
    state        TEXT NOT NULL,
    sha          TEXT NOT NULL,
    submitted_at BIGINT NOT NULL
);
CREATE INDEX hosted_reviews_pull ON hosted_reviews (repo_id, number);

CREATE TABLE hosted_review_comments (
    id          BIGINT PRIMARY KEY,
    repo_id     BIGINT NOT NULL,
    number      BIGINT NOT NULL,
    review_id   BIGINT NOT NULL,
    reply_to    BIGINT NOT NULL,
    author      TEXT NOT NULL,
    body        TEXT NOT NULL,
    path        TEXT NOT NULL,
    sha         TEXT NOT NULL,
    line        BIGINT NOT NULL,
    side        TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);
CREATE INDEX hosted_review_comments_pull ON hosted_review_comments (repo_id, number);

CREATE TABLE hosted_labels (
    id          BIGINT PRIMARY KEY,
    repo_id     BIGINT NOT NULL,
    name        TEXT NOT NULL,
    color       TEXT NOT NULL,
    description TEXT NOT NULL
);
CREATE UNIQUE INDEX hosted_labels_name ON hosted_labels (repo_id, lower(name));

CREATE TABLE hosted_milestones (
    id          BIGINT PRIMARY KEY,
    repo_id     BIGINT NOT NULL,
    number      BIGINT NOT NULL,
    title       TEXT NOT NULL,
    description TEXT NOT NULL,
    state       TEXT NOT NULL,
    creator     TEXT NOT NULL,
    due_on      BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    closed_at   BIGINT NOT NULL,
    UNIQUE (repo_id, number),
    UNIQUE (repo_id, title)
);

CREATE TABLE hosted_statuses (
    id          BIGINT PRIMARY KEY,
    repo_id     BIGINT NOT NULL,
    sha         TEXT NOT NULL,
    context     TEXT NOT NULL,
    state       TEXT NOT NULL,
    description TEXT NOT NULL,
    target_url  TEXT NOT NULL,
    creator     TEXT NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE INDEX hosted_statuses_sha ON hosted_statuses (repo_id, sha, context, id);

CREATE TABLE hosted_check_runs (
    id           BIGINT PRIMARY KEY,
    repo_id      BIGINT NOT NULL,
    sha          TEXT NOT NULL,
    name         TEXT NOT NULL,
    status       TEXT NOT NULL,
    conclusion   TEXT NOT NULL,
    details_url  TEXT NOT NULL,
    external_id  TEXT NOT NULL,
    title        TEXT NOT NULL,
    summary      TEXT NOT NULL,
    body         TEXT NOT NULL,
    creator      TEXT NOT NULL,
    started_at   BIGINT NOT NULL,
    completed_at BIGINT NOT NULL
);
CREATE INDEX hosted_check_runs_sha ON hosted_check_runs (repo_id, sha, name, id);

CREATE TABLE hosted_releases (
    id           BIGINT PRIMARY KEY,
    repo_id      BIGINT NOT NULL,
    tag          TEXT NOT NULL,
    target       TEXT NOT NULL,
    name         TEXT NOT NULL,
    body         TEXT NOT NULL,
    draft        BOOLEAN NOT NULL,
    prerelease   BOOLEAN NOT NULL,
    author       TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    published_at BIGINT NOT NULL
);
-- Several drafts may name one tag, as on GitHub; one published release may.
CREATE UNIQUE INDEX hosted_releases_tag ON hosted_releases (repo_id, tag) WHERE NOT draft;

CREATE TABLE hosted_assets (
    id           BIGINT PRIMARY KEY,
    repo_id      BIGINT NOT NULL,
    release_id   BIGINT NOT NULL,
    name         TEXT NOT NULL,
    label        TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size         BIGINT NOT NULL,
    digest       TEXT NOT NULL,
    uploader     TEXT NOT NULL,
    downloads    BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    UNIQUE (release_id, name)
);

CREATE TABLE hosted_hooks (
    id           BIGINT PRIMARY KEY,
    repo_id      BIGINT NOT NULL,
    url          TEXT NOT NULL,
    content_type TEXT NOT NULL,
    secret       TEXT NOT NULL, -- sealed; empty: none
    events       TEXT NOT NULL,
    active       BOOLEAN NOT NULL,
    last_code    BIGINT NOT NULL,
    last_status  TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL
);
CREATE INDEX hosted_hooks_repo ON hosted_hooks (repo_id);

CREATE TABLE hosted_deliveries (
    id               BIGINT PRIMARY KEY,
    hook_id          BIGINT NOT NULL,
    repo_id          BIGINT NOT NULL,
    guid             TEXT NOT NULL,
    event            TEXT NOT NULL,
    action           TEXT NOT NULL,
    redelivery       BOOLEAN NOT NULL,
    pending          BOOLEAN NOT NULL,
    attempts         BIGINT NOT NULL,
    due_at           BIGINT NOT NULL,
    delivered_at     BIGINT NOT NULL,
    duration         BIGINT NOT NULL, -- microseconds
    status           TEXT NOT NULL,
    status_code      BIGINT NOT NULL,
    url              TEXT NOT NULL,
    request_headers  TEXT NOT NULL, -- a JSON object
    payload          TEXT NOT NULL,
    response_headers TEXT NOT NULL,
    response_body    TEXT NOT NULL
);
CREATE INDEX hosted_deliveries_due ON hosted_deliveries (due_at, id) WHERE pending;
CREATE INDEX hosted_deliveries_hook ON hosted_deliveries (hook_id, id);

