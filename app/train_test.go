package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"seaworthy/app"
	"seaworthy/flow"
	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/release/cut"
	"seaworthy/release/train"
)

// clock is a clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Time goes on, so that what happens at one hour has an order.
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

func (c *clock) set(t testing.TB, text string) {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.Before(c.now) {
		t.Fatalf("%s: it is %s already", text, c.now)
	}
	c.now = at
}

const monthly = `  train:
  - {type: patch, when: second Tuesday, at: "15:00", support: {newest: 2}, auto: %s}
`

// trained is a configuration with a timetable; gates are those of its releases.
func trained(auto, gates string) string {
	text := strings.Replace(configuration, "gates: {rehearsal: optional}\n", "gates: "+gates+"\n"+fmt.Sprintf(monthly, auto), 1)
	return text + strings.TrimPrefix(buildable, configuration)
}

// series makes a release branch with a first final release, and as many commits
// after it.
func (p *platform) series(branch, tag string, after int) {
	p.t.Helper()
	ctx := p.t.Context()
	_, err := p.push(halyard, "ada", branch, "main", "Begin "+branch, map[string]string{"series": branch + "\n"})
	p.must(err)
	clone, err := git.Clone(ctx, p.base+"/"+halyard.String()+".git", p.t.TempDir()+"/tag.git", git.CloneOptions{Bare: true, Auth: git.Auth{User: "ada", Token: p.tokens["ada"]}})
	p.must(err)
	p.must(clone.Push(ctx, "origin", git.PushOptions{}, "refs/heads/"+branch+":refs/tags/"+tag))
	for i := range after {
		_, err := p.push(halyard, "ada", branch, branch, fmt.Sprintf("Mend %d", i), map[string]string{fmt.Sprintf("mend-%d", i): "yes\n"})
		p.must(err)
	}
}

func (p *platform) flows() []flow.Run {
	p.t.Helper()
	runs, err := p.Store.Runs(p.t.Context(), flow.RunFilter{})
	p.must(err)
	return runs
}

// look has the timetable looked at until there is nothing left to do.
func (p *platform) look() {
	p.t.Helper()
	for {
		p.must(p.Depart(p.t.Context(), halyard))
		before := len(p.flows())
		p.until("all releases rest", func() bool {
			return !slices.ContainsFunc(p.flows(), func(r flow.Run) bool { return !r.State.Final() && r.State != flow.Waiting })
		})
		p.settled()
		p.must(p.Depart(p.t.Context(), halyard))
		if len(p.flows()) == before {
			return
		}
	}
}

// line is what the timetable says of a branch.
func (p *platform) line(branch string) train.Line {
	p.t.Helper()
	lines, err := p.Timetable(p.t.Context(), halyard)
	p.must(err)
	i := slices.IndexFunc(lines, func(l train.Line) bool { return l.Branch == branch })
	if i < 0 {
		p.t.Fatalf("no line of %s in %+v", branch, lines)
	}
	return lines[i]
}

// journey counts what the train did: mock and real, stages and cuts, by branch.
func (p *platform) journey() map[string]int {
	p.t.Helper()
	did := map[string]int{}
	for _, r := range p.flows() {
		var asked struct{ Branch, Build string }
		p.must(json.Unmarshal(r.Params, &struct {
			Branch *string `json:"branch"`
			Build  *string `json:"build_version"`
		}{&asked.Branch, &asked.Build}))
		version, _, _ := strings.Cut(asked.Build, "+")
		mode := "real"
		if r.Mock {
			mode = "mock"
		}
		did[strings.Join(strings.Fields(mode+" "+r.Flow+" "+asked.Branch+version), " ")]++
	}
	return did
}

// A month of nights and days: every night the branch with something to release
// is rehearsed, its release is opened on its day, waits for the sign-off, and
// is out; the other branch has nothing to release, which is said. The machine
// is off on the very day, and makes up for it, once.
func TestTrainForAMonth(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("stages and cuts every night of a month")
	}
	now := &clock{}
	now.set(t, "2026-10-31 20:00")
	dir := t.TempDir()
	p := open(t, dir, func(o *app.Options) { o.Now = now.Now })
	p.populate(map[string]string{
		"seaworthy.yaml": trained("open", "{rehearsal: required, approvals: [{role: captain, logins: [ada]}]}"), "README.md": "halyard\n", "OWNERS": sources["OWNERS"],
	})
	p.series("release-1.0", "v1.0.0", 1) // out of support: the newest two are served
	p.series("release-1.1", "v1.1.0", 2)
	p.series("release-1.2", "v1.2.0", 0)
	p.settled()
	p.look()
	if l := p.line("release-1.1"); l.State != train.Unknown || l.Version != "v1.1.1" || l.Commits != 2 || l.Next.Format("2006-01-02 15:04") != "2026-11-10 15:00" {
		t.Errorf("on the first evening: %+v", l)
	}
	if n := len(p.flows()); n != 0 {
		t.Errorf("%d runs before the first night", n)
	}
	for _, day := range []int{1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15, 22, 30} {
		if day == 12 {
			p.stop() // four days ago: on the 10th nobody was there
			now.set(t, "2026-11-12 01:00")
			earlier := p
			p = open(t, dir, func(o *app.Options) { o.Now = now.Now })
			p.meet(earlier)
			p.look()
			p.isWaiting()
		}
		now.set(t, fmt.Sprintf("2026-11-%02d 02:10", day))
		p.look()
		if day < 3 || day > 8 { // by day the nights are all the same
			now.set(t, fmt.Sprintf("2026-11-%02d 15:10", day))
			p.look()
		}
		switch day {
		case 1:
			if l := p.line("release-1.1"); l.State != train.Ready || l.Rehearsal.Cut.State != train.Done {
				t.Errorf("after the first night: %+v", l)
			}
			if l := p.line("release-1.2"); l.State != train.Nothing || !strings.Contains(l.Why, "v1.2.0") {
				t.Errorf("nothing to release: %+v", l)
			}
		case 14:
			p.signOff()
		}
	}
	did := p.journey()
	// Eight nights before the day; then the mock of the night before counts.
	for what, times := range map[string]int{
		"mock stage release-1.1": 8, "mock cut v1.1.1": 8, "real stage release-1.1": 1, "real cut v1.1.1": 1,
	} {
		if did[what] != times {
			t.Errorf("%s: %d times, want %d", what, did[what], times)
		}
		delete(did, what)
	}
	if len(did) > 0 {
		t.Errorf("and besides: %v", did)
	}
	if l := p.line("release-1.1"); l.Outcome != train.Out || l.State != train.Nothing || l.Previous != "v1.1.1" || l.Departure.Format(time.DateOnly) != "2026-11-10" {
		t.Errorf("at the end: %+v", l)
	}
	if l := p.line("release-1.2"); l.Outcome != train.Skipped || !strings.Contains(l.Said, "no commit since v1.2.0") {
		t.Errorf("at the end: %+v", l)
	}
}

// isWaiting checks that the release of the missed day waits for its sign-off.
func (p *platform) isWaiting() {
	p.t.Helper()
	l := p.line("release-1.1")
	if l.State != train.SigningOff || l.Release.Cut.State != train.Waiting || len(l.Stops) != 1 || !strings.Contains(l.Stops[0].Link, "/releases/") {
		p.t.Fatalf("after the missed day: %+v\n%s", l, p.story())
	}
}

func (p *platform) signOff() {
	p.t.Helper()
	id := p.line("release-1.1").Release.Cut.ID
	p.must(p.Approve(p.t.Context(), id, "captain", "ada", "it is time"))
	if state, err := p.Releases.Drive(p.t.Context(), id, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
		p.t.Fatalf("after the sign-off: %s, %v", state, err)
	}
}

// A train that cuts by itself waits for red gates and says which; with a commit
// that mends it, it stages anew and goes.
func TestTrainWaitsForGates(t *testing.T) {
	t.Parallel()
	now := &clock{}
	now.set(t, "2026-11-09 12:00")
	p := open(t, t.TempDir(), func(o *app.Options) { o.Now = now.Now })
	red := strings.Replace(trained("cut", "{rehearsal: optional}"), `["test", "-e", "OWNERS"]`, `["test", "!", "-e", "mend-0"]`, 1)
	p.populate(map[string]string{"seaworthy.yaml": red, "README.md": "halyard\n", "OWNERS": sources["OWNERS"]})
	p.series("release-1.1", "v1.1.0", 1)
	p.settled()
	p.look()
	now.set(t, "2026-11-10 15:01")
	p.look()
	l := p.line("release-1.1")
	if l.State != train.Blocked || len(l.Stops) != 1 || l.Stops[0].What != "checks" || !strings.Contains(l.Stops[0].Link, "/runs/") || l.Release.Stage.State != train.Done {
		t.Fatalf("with a red job: %+v", l)
	}
	if did := p.journey(); did["real stage release-1.1"] != 1 || did["real cut v1.1.1"] != 0 {
		t.Errorf("with a red job it did %v", did)
	}
	green := strings.Replace(red, `["test", "!", "-e", "mend-0"]`, `["test", "-e", "mend-0"]`, 1)
	_, err := p.push(halyard, "ada", "release-1.1", "release-1.1", "Mend the job", map[string]string{"seaworthy.yaml": green})
	p.must(err)
	p.settled()
	p.look()
	if l := p.line("release-1.1"); l.Outcome != train.Out || l.Previous != "v1.1.1" {
		t.Errorf("mended: %+v\n%s", l, p.story())
	}
	if did := p.journey(); did["real stage release-1.1"] != 2 || did["real cut v1.1.1"] != 1 {
		t.Errorf("mended it did %v", did)
	}
}

// What failed in the night is told by its step, and mended the next night.
func TestTrainTellsWhatWouldStopIt(t *testing.T) {
	t.Parallel()
	now := &clock{}
	now.set(t, "2026-11-01 12:00")
	p := open(t, t.TempDir(), func(o *app.Options) { o.Now = now.Now })
	broken := strings.Replace(trained("rehearse", "{rehearsal: optional}"), `[cp, README.md, "{out}/readme"]`, `["false"]`, 1)
	p.populate(map[string]string{"seaworthy.yaml": broken, "README.md": "halyard\n", "OWNERS": sources["OWNERS"]})
	p.series("release-1.1", "v1.1.0", 1)
	p.settled()
	p.look()
	now.set(t, "2026-11-02 02:01")
	p.look()
	l := p.line("release-1.1")
	if l.State != train.Blocked || len(l.Stops) != 1 || l.Stops[0].What != "Build the archives" || !strings.HasSuffix(l.Stops[0].Link, l.Rehearsal.Stage.ID) {
		t.Fatalf("a build that fails: %+v", l)
	}
	now.set(t, "2026-11-02 20:00")
	p.look()
	if n := len(p.flows()); n != 1 {
		t.Errorf("it is rehearsed %d times in one night", n)
	}
	mended := strings.Replace(broken, `["false"]`, `[cp, README.md, "{out}/readme"]`, 1)
	_, err := p.push(halyard, "ada", "release-1.1", "release-1.1", "Mend the build", map[string]string{"seaworthy.yaml": mended})
	p.must(err)
	p.settled()
	now.set(t, "2026-11-03 02:01")
	p.look()
	if l := p.line("release-1.1"); l.State != train.Ready || len(l.Stops) != 0 {
		t.Errorf("mended: %+v\n%s", l, p.story())
	}
	now.set(t, "2026-11-10 15:01")
	p.look()
	if did := p.journey(); did["real stage release-1.1"] != 0 {
		t.Errorf("a rule that only rehearses did %v", did)
	}
}

// A train begins by itself: the platform's own clock sees to it, and looks
// again when a run ends.
func TestTrainByTheClock(t *testing.T) {
	t.Parallel()
	now := &clock{}
	now.set(t, "2026-11-09 12:00")
	dir := t.TempDir()
	p := open(t, dir, func(o *app.Options) { o.Now = now.Now })
	p.populate(map[string]string{"seaworthy.yaml": trained("cut", "{rehearsal: required}"), "README.md": "halyard\n", "OWNERS": sources["OWNERS"]})
	p.series("release-1.1", "v1.1.0", 1)
	p.settled()
	p.must(p.Depart(t.Context(), halyard)) // the rule is seen for the first time
	p.stop()
	now.set(t, "2026-11-10 15:01")
	again := open(t, dir, func(o *app.Options) { o.Now = now.Now })
	again.meet(p)
	again.until("the release is out", func() bool {
		tags, err := again.Forge.Releases(context.WithoutCancel(t.Context()), halyard)
		again.must(err)
		return len(tags) == 1 && !tags[0].Draft && tags[0].Tag == "v1.1.1"
	})
	again.settled()
	for _, r := range again.flows() {
		if r.Actor != app.TrainActor {
			t.Errorf("%s was begun by %s", r.Flow, r.Actor)
		}
		var asked cut.CutRequest
		again.must(json.Unmarshal(r.Params, &asked))
		if asked.Repo != halyard {
			t.Errorf("%s is about %s", r.Flow, asked.Repo)
		}
	}
	if n := len(again.executions(job.ExecutionFilter{Repo: halyard.String()})); n == 0 {
		t.Error("no job ran")
	}
}
