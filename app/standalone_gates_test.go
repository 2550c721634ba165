package app_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seaworthy/app"
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

	// Results of jobs count where they lie in the bucket.
	for name, text := range map[string]string{result.StartedFile: `{"timestamp": 1767225600}`, result.FinishedFile: `{"timestamp": 1767225660, "passed": true, "result": "SUCCESS"}`} {
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
