package app_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/app"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// gated asks for everything that can be asked for.
const gated = `version: 1
jobs:
  postsubmits:
  - name: post-unit
    annotations: {testgrid-dashboards: "blocking, all", testgrid-tab-name: unit}
    spec: {containers: [{image: none, command: ["test", "-e", "OWNERS"]}]}
merge: {method: squash, labels: {require: [], forbid: []}}
release:
  gates:
    rehearsal: optional
    dashboards: {names: [blocking], runs: 1}
    blockers: {labels: [release-blocker]}
    exceptions: {labels: [exception]}
    notes: required
    freeze: {from: 2020-01-01, label: approved-for-freeze}
    approvals: [{role: captain, logins: [ada]}, {role: docs, logins: [dee]}]
    waivers: [captain]
build:
  command: [cp, README.md, "{out}/readme"]
  outputs: [readme]
  platforms: [linux/amd64]
`

// ready judges main.
func (p *platform) ready() (cut.Plan, map[string]release.Gate, release.Verdict) {
	p.t.Helper()
	plan, err := p.Releases.Plan(p.t.Context(), cut.StageRequest{Repo: halyard, Branch: "main", Kind: release.Alpha})
	p.must(err)
	_, v, err := p.Releases.Readiness(p.t.Context(), plan)
	p.must(err)
	gates := map[string]release.Gate{}
	for _, g := range v.Gates {
		gates[g.Name] = g
	}
	return plan, gates, v
}

func TestReadinessWaiversAndSignOffs(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.populate(map[string]string{"seaworthy.yaml": gated, "README.md": "halyard\n", "OWNERS": sources["OWNERS"]})
	p.settled()
	ctx := t.Context()
	for _, l := range []string{"release-blocker", "exception", "approved-for-freeze"} {
		p.must(p.as["ada"].CreateLabel(ctx, halyard, forge.Label{Name: l, Color: "ff0000"}))
	}
	p.until("the board is green", func() bool { _, g, _ := p.ready(); return g["dashboards"].State == release.Go })

	// A change without a note is merged in the freeze, an exception is open.
	pr, err := func() (forge.PullRequest, error) {
		_, err := p.push(halyard, "ben", "topic", "main", "Topic", map[string]string{"README.md": "more\n"})
		p.must(err)
		return p.as["ben"].CreatePullRequest(ctx, halyard, forge.NewPullRequest{Title: "More", Head: "topic", Base: "main", Body: "no note"})
	}()
	p.must(err)
	_, err = p.Forge.MergePullRequest(ctx, halyard, pr.Number, forge.Merge{Method: forge.MethodSquash})
	p.must(err)
	exception, err := p.as["ada"].CreateIssue(ctx, halyard, forge.NewIssue{Title: "May it land late?", Labels: []string{"exception"}})
	p.must(err)
	p.settled()
	p.until("the board is green again", func() bool { _, g, _ := p.ready(); return g["checks"].State == release.Go })
	plan, g, v := p.ready()
	for name, why := range map[string]string{"notes": "#1", "freeze": "merged in the freeze without approved-for-freeze: #1", "exceptions": "#2", "sign-off": "captain, docs"} {
		if g[name].State != release.NoGo || !strings.Contains(g[name].Why, why) {
			t.Errorf("%s: %+v, want NO-GO because of %q", name, g[name], why)
		}
	}
	if v.Go || g["blockers"].State != release.Go || g["dashboards"].State != release.Go {
		t.Errorf("the verdict: %+v", v)
	}

	// What can be mended is mended; the rest is waived, by whom it is allowed.
	p.must(p.as["ada"].AddLabels(ctx, halyard, pr.Number, "approved-for-freeze"))
	closed := forge.StateClosed
	p.must(p.as["ada"].EditIssue(ctx, halyard, exception.Number, forge.EditIssue{State: &closed}))
	w := release.Waiver{Gate: "notes", Version: plan.Version().String(), By: "dee", Why: "a typo", Until: time.Now().Add(time.Hour)}
	if _, err := p.Waive(ctx, halyard, w); !errors.Is(err, app.ErrNotAllowed) || !strings.Contains(err.Error(), "captain (ada)") {
		t.Errorf("dee waives: %v", err)
	}
	w.By, w.Until = "ada", time.Now().Add(-time.Hour)
	if _, err := p.Waive(ctx, halyard, w); err == nil {
		t.Error("a waiver that is over was given")
	}
	w.Until = time.Now().Add(time.Hour)
	given, err := p.Waive(ctx, halyard, w)
	p.must(err)
	if given.Role != "captain" {
		t.Errorf("waived as %q", given.Role)
	}
	if all, err := p.Waivers(ctx, halyard, false); err != nil || len(all) != 1 {
		t.Errorf("the waivers are %+v, %v", all, err)
	}
	if _, g, _ = p.ready(); g["notes"].State != release.Waived || g["notes"].WaivedBy != "ada as captain" || g["freeze"].State != release.Go || g["exceptions"].State != release.Go {
		t.Errorf("waived and mended: %+v", g)
	}
	w.Gate = "sign-off"
	if _, err := p.Waive(ctx, halyard, w); err == nil {
		t.Error("people's word was waived")
	}

	// Signed off before the cut, which then asks nobody.
	if err := p.SignOff(ctx, plan, "docs", "ada", ""); err == nil || !strings.Contains(err.Error(), "dee") {
		t.Errorf("ada signs off as docs: %v", err)
	}
	p.must(p.SignOff(ctx, plan, "Captain", "ada", "it holds"))
	p.must(p.SignOff(ctx, plan, "docs", "dee", ""))
	if _, _, v = p.ready(); !v.Go {
		t.Fatalf("after all of it: %+v", v)
	}
	p.must(releaseIt(ctx, p.App))
	runs, err := p.Store.Runs(ctx, flow.RunFilter{Flow: "cut"})
	p.must(err)
	line, err := p.Releases.Status(ctx, runs[0].ID)
	p.must(err)
	if s, _ := line.Step("sign-offs"); s.Sentence != "2 of 2 roles" {
		t.Errorf("the cut says of sign-offs: %q", s.Sentence)
	}
	p.replays(plan.Version().String())
}

// replays judges every stored verdict again.
func (p *platform) replays(version string) {
	p.t.Helper()
	all, err := p.Verdicts(p.t.Context(), halyard, version)
	p.must(err)
	words := map[string]int{}
	for _, d := range all {
		var in struct {
			Facts   release.Facts
			Verdict release.Verdict
		}
		p.must(json.Unmarshal(d.Inputs, &in))
		words[d.Verdict]++
		if diff := cmp.Diff(in.Verdict, in.Facts.Verdict()); diff != "" {
			p.t.Errorf("judged again, verdict %d is another one: %s", d.ID, diff)
		}
	}
	if words["GO"] == 0 || words["NO-GO"] == 0 {
		p.t.Errorf("the verdicts kept are %v", words)
	}
}
