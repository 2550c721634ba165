package app_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/job/result"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// demanding asks for everything that can be asked for, and for checks by name.
var demanding = map[string]string{
	"seaworthy.yaml": strings.NewReplacer("rehearsal: optional", "rehearsal: required\n    green: [post-unit]", "{labels: [release-blocker]}", `{labels: [severe], milestone: "v{number}"}`).Replace(gated),
	"README.md":      "halyard\n", "OWNERS": sources["OWNERS"],
}

// judged are the gates of the next release by name.
func (l lone) judged() (cut.Plan, map[string]release.Gate, release.Verdict) {
	l.t.Helper()
	plan, err := l.Releases.Plan(l.t.Context(), cut.StageRequest{Repo: l.repo, Branch: "main", Kind: release.Alpha})
	l.must(err)
	_, v, err := l.Releases.Readiness(l.t.Context(), plan)
	l.must(err)
	gates := map[string]release.Gate{}
	for _, g := range v.Gates {
		gates[g.Name] = g
	}
	return plan, gates, v
}

// Each gate that is demanded is in the verdict of a folder's release. What nobody
// can know there is unknown and says what to do; what a person has looked at and
// waived, and what people sign, lets the release out.
func TestEveryGateWithoutAForge(t *testing.T) {
	t.Parallel()
	l := standAlone(t, cloned(t, repository(t, "main", demanding).Dir, git.Auth{}), app.Standalone{To: "folder:" + filepath.Join(t.TempDir(), "www")})
	ctx := t.Context()
	plan, gates, v := l.judged()
	for _, name := range append(release.Gates(), "sign-off") {
		g, in := gates[name]
		want := release.Unknown
		if name == "rehearsal" || name == "sign-off" {
			want = release.NoGo
		}
		if !in || g.State != want || want == release.Unknown && !strings.Contains(g.Why, "waive it with seaworthy release waive") {
			t.Errorf("%s: %v, %+v", name, in, g)
		}
	}
	if v.Go {
		t.Errorf("the verdict: %+v", v)
	}

	// Results of jobs count where they lie in the bucket, as long as they are news.
	began := time.Now().Add(-time.Hour).Unix()
	for name, text := range map[string]string{
		result.StartedFile:  fmt.Sprintf(`{"timestamp": %d}`, began),
		result.FinishedFile: fmt.Sprintf(`{"timestamp": %d, "passed": true, "result": "SUCCESS"}`, began+60),
	} {
		l.must(l.Bucket.WriteAll(ctx, "logs/post-unit/1/"+name, []byte(text), nil))
	}
	if _, gates, _ = l.judged(); gates["dashboards"].State != release.Go || strings.Contains(fmt.Sprint(gates["dashboards"].Evidence), "/runs/") {
		t.Errorf("with a green result: %+v", gates["dashboards"])
	}

	// The rehearsal is real; the rest is people's word.
	r, err := l.Releases.Stage(ctx, cut.StageRequest{Repo: l.repo, Branch: "main", Kind: release.Alpha, Actor: "ada"})
	l.run(r, err)
	l.run(l.Releases.Cut(ctx, cut.CutRequest{Repo: l.repo, BuildVersion: plan.BuildVersion, Mock: true, Actor: "ada"}))
	for _, name := range []string{"checks", "blockers", "exceptions", "notes", "freeze"} {
		w := release.Waiver{Gate: name, Version: plan.Version().String(), By: "ada", Why: "I looked", Until: time.Now().Add(time.Hour)}
		if name == "notes" {
			w.By = "dee"
			if _, err := l.Waive(ctx, l.repo, w); err == nil {
				t.Error("dee waives what captains may")
			}
			w.By = "ada"
		}
		_, err := l.Waive(ctx, l.repo, w)
		l.must(err)
	}
	l.must(l.SignOff(ctx, plan, "captain", "ada", "it holds"))
	l.must(l.SignOff(ctx, plan, "docs", "dee", ""))
	if _, gates, v = l.judged(); !v.Go || gates["rehearsal"].State != release.Go || gates["sign-off"].State != release.Go || gates["checks"].WaivedBy != "ada as captain" {
		t.Fatalf("after all of it: %+v", v)
	}
	l.run(l.Releases.Cut(ctx, cut.CutRequest{Repo: l.repo, BuildVersion: plan.BuildVersion, Actor: "ada"}))
	l.verified(plan.Version().String())
}

// planning is a forge with the lists that gates look at.
type planning interface {
	CreateLabel(ctx context.Context, repo forge.RepoName, l forge.Label) error
	CreateMilestone(ctx context.Context, repo forge.RepoName, m forge.Milestone) (forge.Milestone, error)
	CreateIssue(ctx context.Context, repo forge.RepoName, n forge.NewIssue) (forge.Issue, error)
	EditIssue(ctx context.Context, repo forge.RepoName, number int, e forge.EditIssue) error
}

// listed opens and closes issues, and looks what the gates of the next release
// say of them: a blocker needs its label and its milestone.
func (l lone) listed(f planning) {
	l.t.Helper()
	ctx := l.t.Context()
	for _, name := range []string{"severe", "exception"} {
		l.must(f.CreateLabel(ctx, halyard, forge.Label{Name: name, Color: "ff0000"}))
	}
	_, err := f.CreateMilestone(ctx, halyard, forge.Milestone{Title: "v0.1.0-alpha.0"})
	l.must(err)
	state := func(gate string) release.GateState { _, gates, _ := l.judged(); return gates[gate].State }
	closed, milestone := forge.StateClosed, "v0.1.0-alpha.0"
	blocker, err := f.CreateIssue(ctx, halyard, forge.NewIssue{Title: "It leaks", Labels: []string{"severe"}})
	l.must(err)
	if got := state("blockers"); got != release.Go {
		l.t.Errorf("with a blocker of another release: %s", got)
	}
	l.must(f.EditIssue(ctx, halyard, blocker.Number, forge.EditIssue{Milestone: &milestone}))
	if got := state("blockers"); got != release.NoGo {
		l.t.Errorf("with a blocker: %s", got)
	}
	l.must(f.EditIssue(ctx, halyard, blocker.Number, forge.EditIssue{State: &closed}))
	if blockers, exceptions := state("blockers"), state("exceptions"); blockers != release.Go || exceptions != release.Go {
		l.t.Errorf("without any: %s, %s", blockers, exceptions)
	}
	exception, err := f.CreateIssue(ctx, halyard, forge.NewIssue{Title: "May it land late?", Labels: []string{"exception"}})
	l.must(err)
	if got := state("exceptions"); got != release.NoGo {
		l.t.Errorf("with an exception: %s", got)
	}
	l.must(f.EditIssue(ctx, halyard, exception.Number, forge.EditIssue{State: &closed}))
}

// A forge with GitHub's interface knows of issues and of changes, and not of
// dashboards.
func TestGatesFromGitHub(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.populate(demanding)
	p.settled()
	ctx := t.Context()
	token, err := os.ReadFile(filepath.Join(p.dir, "secrets", app.BotLogin+"-token"))
	p.must(err)
	secret := strings.TrimSpace(string(token))
	l := standAlone(t, cloned(t, p.GitURL(halyard), git.Auth{Token: secret}), app.Standalone{To: "github", Getenv: env("GITHUB_TOKEN=" + secret)})
	l.listed(p.as["ada"])

	p.must(p.as["ada"].CreateLabel(ctx, halyard, forge.Label{Name: "approved-for-freeze", Color: "00ff00"}))
	_, err = p.push(halyard, "ben", "topic", "main", "Topic", map[string]string{"README.md": "more\n"})
	p.must(err)
	pr, err := p.as["ben"].CreatePullRequest(ctx, halyard, forge.NewPullRequest{Title: "More", Head: "topic", Base: "main", Body: "no note"})
	p.must(err)
	_, err = p.Forge.MergePullRequest(ctx, halyard, pr.Number, forge.Merge{Method: forge.MethodSquash})
	p.must(err)
	number := fmt.Sprintf("#%d", pr.Number)
	_, gates, _ := l.judged()
	for _, name := range []string{"notes", "freeze"} {
		if g := gates[name]; g.State != release.NoGo || !strings.Contains(g.Why, number) {
			t.Errorf("%s: %+v", name, g)
		}
	}
	if g := gates["dashboards"]; g.State != release.Unknown || !strings.Contains(g.Why, "--bucket") {
		t.Errorf("dashboards: %+v", g)
	}
	p.must(p.as["ada"].AddLabels(ctx, halyard, pr.Number, "approved-for-freeze"))
	p.must(p.as["ada"].AddLabels(ctx, halyard, pr.Number, "release-note-none"))
	if _, gates, _ = l.judged(); gates["notes"].State != release.Go || gates["freeze"].State != release.Go {
		t.Errorf("with its labels: %+v", gates)
	}
}

func TestGatesFromGitea(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped: starts a Gitea")
	}
	clone, c, token := onGitea(t, demanding)
	standAlone(t, clone, app.Standalone{To: "gitea", Getenv: env("GITEA_TOKEN=" + token)}).listed(c)
}
