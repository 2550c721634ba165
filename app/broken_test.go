package app_test

import (
	"strings"
	"testing"

	"seaworthy/config"
	"seaworthy/forge"
	"seaworthy/job"
)

// wrong is configuration with two mistakes.
var wrong = strings.Replace(strings.Replace(configuration, "always_run", "always_rum", 1), "milestone", "milestome", 1)

// A pull request that breaks the configuration is told so, with file and line,
// and does not merge; everything else goes on.
func TestBrokenConfigurationProposed(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.populate(sources)
	pr := p.propose("ben", "wrong", map[string]string{"seaworthy.yaml": wrong})
	p.until("it is said", func() bool { return p.status(pr.Head.SHA, config.Name).State == forge.StatusFailure })
	said := p.status(pr.Head.SHA, config.Name).Description
	if !strings.Contains(said, "seaworthy.yaml:6") || !strings.Contains(said, "always_run") || !strings.HasSuffix(said, " (and 1 more)") {
		t.Errorf("the status says %q", said)
	}
	p.say("cho", pr.Number, "/lgtm")
	p.say("ada", pr.Number, "/approve")
	good := p.propose("ben", "good", map[string]string{"knots.txt": "bowline\n"})
	p.say("cho", good.Number, "/lgtm")
	p.say("ada", good.Number, "/approve")
	p.until("the good change has merged", func() bool { return p.pull(good.Number).Merged })
	p.settled()
	if p.pull(pr.Number).Merged {
		t.Fatal("a broken configuration has merged")
	}
	why, err := p.Queue.Why(t.Context(), halyard, pr.Number)
	p.must(err)
	if len(why) == 0 || !strings.Contains(why[len(why)-1].Sentence, "seaworthy.yaml:6") {
		t.Errorf("what keeps it from merging: %+v", why)
	}

	// Mended, it merges, and counts from then on.
	_, err = p.push(halyard, "ben", "wrong", "wrong", "Mend it", map[string]string{"seaworthy.yaml": strings.Replace(configuration, "v0.1", "v0.2", 1)})
	p.must(err)
	head := func() string { return p.pull(pr.Number).Head.SHA }
	p.until("the mended change is tested", func() bool { return p.status(head(), "unit").State == forge.StatusSuccess })
	p.say("cho", pr.Number, "/lgtm")
	p.say("ada", pr.Number, "/approve")
	p.until("it has merged", func() bool { return p.pull(pr.Number).Merged })
	next := p.propose("ben", "next", map[string]string{"knots.txt": "bowline, reef knot\n"})
	p.say("cho", next.Number, "/lgtm")
	p.say("ada", next.Number, "/approve")
	p.until("the new milestone counts", func() bool { return p.pull(next.Number).Milestone == "v0.2" })
}

// A broken configuration on the main branch is told of on its commit; the last
// good one stands, so that the change that mends it is tested and merges.
func TestBrokenConfigurationMerged(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.populate(sources)
	sha, err := p.Forge.PutFile(t.Context(), halyard, "seaworthy.yaml", "main", "Break it", []byte(wrong)) // who may push
	p.must(err)
	p.until("it is said", func() bool { return p.status(sha, config.Name).State == forge.StatusFailure })
	p.settled()
	if all := p.executions(job.ExecutionFilter{SHA: sha}); len(all) != 1 || all[0].Job != "post-unit" {
		t.Errorf("what ran on the broken commit: %+v", all)
	}
	if _, err := p.Project(t.Context(), halyard, ""); err == nil || !strings.Contains(err.Error(), "seaworthy.yaml:6") {
		t.Errorf("asked outright: %v", err) // a release of it is refused
	}
	p.mends(map[string]string{"seaworthy.yaml": configuration})
}

// A repository whose very first configuration is broken can be mended, too.
func TestBrokenFromTheStart(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	p.populate(map[string]string{"seaworthy.yaml": "version: 1\njosb: {}\n", ".prow.yaml": "presubmits: 7\n", "OWNERS": sources["OWNERS"]})
	main, err := p.Forge.Branch(t.Context(), halyard, "main")
	p.must(err)
	p.until("it is said", func() bool { return p.status(main.SHA, config.Name).State == forge.StatusFailure })
	p.mends(map[string]string{"seaworthy.yaml": configuration, ".prow.yaml": ""})
}

// mends checks that a change of the configuration can still be merged, and
// that it counts then.
func (p *platform) mends(files map[string]string) {
	p.t.Helper()
	pr := p.propose("ben", "mend", files)
	p.say("cho", pr.Number, "/lgtm")
	p.say("ada", pr.Number, "/approve")
	p.until("it has merged", func() bool { return p.pull(pr.Number).Merged })
	next := p.propose("ben", "next", map[string]string{"knots.txt": "bowline\n"})
	p.until("the mended configuration counts", func() bool { return p.status(next.Head.SHA, "unit").State == forge.StatusSuccess })
	p.settled()
}
