package app_test

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/forge/local"
	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/store/storetest"
)

// The whole road of a change, on either database.
func TestRoad(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		p := open(t, t.TempDir(), func(o *app.Options) { o.Database = url })
		p.populate(sources)
		p.isServed()
		good := p.propose("ben", "good", map[string]string{"knots.txt": "bowline\n"})
		docs := p.propose("ben", "docs", map[string]string{"docs/guide.md": "Belay well.\n"})
		bad := p.propose("ben", "bad", map[string]string{"broken": ""})
		p.until("the presubmits have reported", func() bool {
			return p.status(good.Head.SHA, "unit").State == forge.StatusSuccess &&
				p.status(docs.Head.SHA, "unit").State == forge.StatusSuccess &&
				p.status(bad.Head.SHA, "unit").State == forge.StatusFailure
		})
		for _, n := range []int{good.Number, docs.Number, bad.Number} {
			p.say("cho", n, "/lgtm")
			p.say("ada", n, "/approve")
		}
		p.until("the approved change has merged", func() bool { return p.pull(good.Number).Merged })
		p.until("dee is waited for no more than a failing job", func() bool {
			return p.pull(docs.Number).Merged && !p.pull(bad.Number).Merged // ada owns everything
		})
		p.until("it has its milestone", func() bool { return p.pull(good.Number).Milestone == "v0.1" })
		p.settled()
		if bad := p.pull(bad.Number); bad.Merged || bad.State != forge.StateOpen {
			t.Errorf("a change that fails its tests is %s, merged: %v", bad.State, bad.Merged)
		}
		p.hasSignal()
	})
}

// ownHook is where the embedded forge tells the platform of events.
const ownHook = "http://" + local.OwnHost + "/hooks/github"

// isServed checks what the platform does to a repository in its care.
func (p *platform) isServed() {
	p.t.Helper()
	ctx := p.t.Context()
	hooks, err := p.as["ada"].Hooks(ctx, halyard)
	p.must(err)
	if len(hooks) != 1 || hooks[0].URL != ownHook || !hooks[0].Active {
		p.t.Errorf("hooks: %+v", hooks)
	}
	labels, err := p.Forge.Labels(ctx, halyard)
	p.must(err)
	for _, name := range []string{"lgtm", "approved", "kind/bug"} {
		if !slices.ContainsFunc(labels, func(l forge.Label) bool { return l.Name == name }) {
			p.t.Errorf("there is no label %s", name)
		}
	}
	protection, err := p.Forge.Protection(ctx, halyard, "main")
	p.must(err)
	if diff := cmp.Diff([]string{app.BotLogin}, protection.PushLogins); diff != "" {
		p.t.Errorf("who may push (-want +got):\n%s", diff)
	}
}

// hasSignal checks what the grid says after the merges.
func (p *platform) hasSignal() {
	p.t.Helper()
	main, err := p.Forge.Branch(p.t.Context(), halyard, "main")
	p.must(err)
	p.until("the postsubmit of the tip has passed", func() bool {
		all := p.executions(job.ExecutionFilter{Job: "post-unit", SHA: main.SHA})
		return len(all) == 1 && all[0].State == job.Success
	})
	tabs, err := p.Signal.Tabs(p.t.Context(), halyard)
	p.must(err)
	var names []string
	for _, tab := range tabs {
		names = append(names, tab.Job+" "+string(tab.Summary.Status))
	}
	if len(names) != 2 || names[0] != "post-unit PASSING" || !strings.HasPrefix(names[1], "pull-unit ") {
		p.t.Errorf("tabs: %q", names)
	}
}

// OWNERS decide who approves what.
func TestOwners(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.populate(map[string]string{
		"seaworthy.yaml": configuration,
		"OWNERS":         "approvers: [ada]\nreviewers: [cho]\n",
		"docs/OWNERS":    "options: {no_parent_owners: true}\napprovers: [dee]\nreviewers: [cho]\n",
		"docs/guide.md":  "Belay.\n",
	})
	pr := p.propose("ben", "docs", map[string]string{"docs/guide.md": "Belay well.\n"})
	p.say("ben", pr.Number, "/approve") // nobody's word on this
	p.say("ada", pr.Number, "/approve") // not hers
	p.say("cho", pr.Number, "/lgtm")
	p.settled()
	p.until("cho's word is heard", func() bool { return p.pull(pr.Number).HasLabel("lgtm") })
	if got := p.pull(pr.Number); got.HasLabel("approved") || got.Merged {
		t.Fatalf("labels %v, merged %v: only dee may approve", got.Labels, got.Merged)
	}
	why, err := p.Queue.Why(t.Context(), halyard, pr.Number)
	p.must(err)
	if len(why) != 1 || why[0].Subject != "approved" {
		t.Errorf("what keeps it from merging: %+v", why)
	}
	p.say("dee", pr.Number, "/approve")
	p.until("it has merged", func() bool { return p.pull(pr.Number).Merged })
}

// A push around review is refused, in words, and changes nothing.
func TestProtectedBranch(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.populate(sources)
	p.settled()
	before, err := p.Forge.Branch(t.Context(), halyard, "main")
	p.must(err)
	for _, who := range []string{"ben", "ada"} {
		_, err := p.push(halyard, who, "main", "main", "Past everybody", map[string]string{"README.md": "mine\n"})
		if !errors.Is(err, git.ErrRejected) || !strings.Contains(err.Error(), "main") || !strings.Contains(strings.ToLower(err.Error()), "protected") {
			t.Errorf("%s's push: %v", who, err)
		}
	}
	after, err := p.Forge.Branch(t.Context(), halyard, "main")
	p.must(err)
	if before.SHA != after.SHA {
		t.Errorf("main moved from %s to %s", before.SHA, after.SHA)
	}
	p.settled()
	if all := p.executions(job.ExecutionFilter{}); len(all) != 1 { // the first push's
		t.Errorf("%d executions, want 1", len(all))
	}
}

// What plain git says to a person whose push is refused.
func TestProtectedBranchSays(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.populate(sources)
	dir := t.TempDir()
	url := strings.Replace(p.GitURL(halyard), "http://", "http://ben:"+p.tokens["ben"]+"@", 1)
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		cmd.Env = append(git.Environ(git.Auth{}), "GIT_AUTHOR_NAME=ben", "GIT_AUTHOR_EMAIL=b@h.test", "GIT_COMMITTER_NAME=ben", "GIT_COMMITTER_EMAIL=b@h.test")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, args := range [][]string{{"clone", "-q", url, "."}, {"commit", "-q", "--allow-empty", "-m", "Past everybody"}} {
		if out, err := run(args...); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	out, err := run("push", "origin", "HEAD:main")
	if err == nil || !strings.Contains(out, "remote:") || !strings.Contains(out, "pull request") {
		t.Errorf("git push: %v\n%s", err, out)
	}
	t.Log(out)
}
