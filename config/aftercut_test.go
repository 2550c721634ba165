package config_test

import (
	"strings"
	"testing"
	"time"

	"seaworthy/config"
	"seaworthy/strict"
)

const demanding = `version: 1
release:
  gates:
    dashboards: {names: [blocking], runs: 3}
    blockers: {labels: [release-blocker], milestone: "v{major}.{minor}"}
    exceptions: {labels: [exception]}
    notes: required
    freeze: {from: 2026-11-05, until: 2026-11-20, label: exception-approved, branches: [main, "release-*"]}
    approvals: [{role: release manager, logins: [ada]}]
    waivers: [Release Manager]
  issue: {open: always, labels: [release]}
  chat: {channel: "#releases"}
  announce: {from: r@example.org, to: [a@example.org], reply_to: help@example.org}
  after:
    - pull_request:
        title: "Build on {version}"
        edits: [{file: variants.yaml, pattern: 'v[0-9]{1,2}\.[0-9.]+', replace: "{version}", all: true}]
    - milestone: {title: "{next}", close: "{version}"}
    - types: [rc, official]
      issue: {repository: harbour/website, title: "Publish {version}", body: "since {previous}", labels: [publishing]}
`

func TestGatesAndAfter(t *testing.T) {
	t.Parallel()
	p, err := config.Parse("f", []byte(demanding))
	if err != nil {
		t.Fatal(err)
	}
	g := p.Release.Gates
	if g.Runs != 1 || g.Dashboards.Runs != 3 || g.Notes != "required" || len(p.Release.After) != 3 || p.Release.Chat.Channel != "#releases" {
		t.Errorf("read %+v", p.Release)
	}
	from, err := g.Freeze.Begin()
	if err != nil || !from.Equal(time.Date(2026, 11, 5, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the freeze begins %s, %v", from, err)
	}
	until, err := g.Freeze.End()
	if err != nil || !until.Equal(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the freeze ends %s, %v: its last day counts", until, err)
	}
	for branch, want := range map[string]bool{"main": true, "release-1.4": true, "topic": false} {
		if g.Freeze.Covers(branch) != want {
			t.Errorf("the freeze covers %s: %v", branch, !want)
		}
	}
	if (config.Freeze{}).Covers("main") {
		t.Error("there is a freeze where none is written")
	}
}

func TestGatesAndAfterProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ old, new, want string }{
		{"runs: 3", "runs: 0", "f:4: runs is 0"},
		{"notes: required", "notes: all", "f:7: notes is \"all\""},
		{"v{major}.{minor}", "v{week}", "f:5: milestone has {week}"},
		{"from: 2026-11-05", "from: soon", "f:8: from is \"soon\""},
		{"until: 2026-11-20", "until: 2026-11-01", "f:8: the freeze ends before it begins"},
		{"from: 2026-11-05, ", "", "f:8: a freeze without a beginning"},
		{`"release-*"`, `"release-["`, "f:8: branch pattern"},
		{"waivers: [Release Manager]", "waivers: [captain]", `f:10: waivers names the role "captain"`},
		{"open: always", "open: sometimes", "f:11: open is"},
		{"reply_to: help@example.org", "reply_to: help", "f:13: address \"help\""},
		{`title: "Build on {version}"`, `title: "Build on {wersion}"`, "f:16: title has {wersion}"},
		{`pattern: 'v[0-9]{1,2}\.[0-9.]+'`, `pattern: 'v['`, "f:17: pattern \"v[\""},
		{"file: variants.yaml", "file: ../variants.yaml", "f:17: file \"../variants.yaml\""},
		{"- milestone: {title", "- milestone: {titel", "f:18:"},
		{"- milestone: {", "- issue: {title: x}\n      milestone: {", "f:18: an entry of after does one thing"},
		{"types: [rc, official]", "types: [final]", "f:19: \"final\" is not a kind"},
		{"harbour/website", "website", "f:20: \"website\" is not a repository name"},
	} {
		if !strings.Contains(demanding, tt.old) {
			t.Fatalf("%q is not in the file", tt.old)
		}
		_, err := config.Parse("f", []byte(strings.Replace(demanding, tt.old, tt.new, 1)))
		if len(strict.Problems(err)) == 0 || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.new, err, tt.want)
		}
	}
}
