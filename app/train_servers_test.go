package app_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"seaworthy/app"
	"seaworthy/flow"
	"seaworthy/release"
	"seaworthy/release/cut"
	"seaworthy/store/storetest"
)

// dueSoon is a platform on a Postgres database with a train that cuts by itself, on
// the day before it departs. It is stopped.
func dueSoon(t *testing.T) (p *platform, url string) {
	t.Helper()
	url = storetest.PostgresURL(t)
	now := &clock{}
	now.set(t, "2026-11-09 12:00")
	p = open(t, t.TempDir(), func(o *app.Options) { o.Now, o.Database = now.Now, url })
	p.populate(map[string]string{"seaworthy.yaml": trained("cut", "{rehearsal: optional}"), "README.md": "halyard\n", "OWNERS": sources["OWNERS"]})
	p.series("release-1.1", "v1.1.0", 1)
	p.settled()
	p.must(p.Depart(t.Context(), halyard)) // the rule is seen for the first time
	p.settled()
	p.stop()
	return p, url
}

// departedOnce waits until the release is out, and checks that it was staged, cut
// and published once.
func (p *platform) departedOnce() {
	p.t.Helper()
	p.until("the release is out", func() bool {
		p.must(p.Depart(p.t.Context(), halyard))
		return p.line("release-1.1").Outcome == "out"
	})
	p.settled()
	did := p.journey()
	if did["real stage release-1.1"] != 1 || did["real cut v1.1.1"] != 1 {
		p.t.Errorf("it did %v\n%s", did, p.story())
	}
	pages, err := p.Forge.Releases(p.t.Context(), halyard)
	p.must(err)
	if len(pages) != 1 || pages[0].Draft || pages[0].Tag != "v1.1.1" {
		p.t.Errorf("the releases are %+v", pages)
	}
}

// Two servers whose clocks strike the hour at once begin one release: who
// decides has the timetable to itself until the run is recorded.
func TestTrainOnTwoServers(t *testing.T) {
	t.Parallel()
	first, url := dueSoon(t)
	early, late := &clock{}, &clock{}
	early.set(t, "2026-11-10 14:00")
	late.set(t, "2026-11-10 15:01")
	arrived, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	free := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(free)
	a := open(t, first.dir, func(o *app.Options) { o.Now, o.Database = early.Now, url })
	a.meet(first)
	b := open(t, beside(t, first.dir), func(o *app.Options) {
		o.Now, o.Database = late.Now, url
		o.Boundary = func(point string) {
			if point == "train departure logged" {
				once.Do(func() {
					close(arrived)
					<-goOn
				})
			}
		}
	})
	b.meet(first)
	var all sync.WaitGroup
	all.Go(func() { b.must(b.Depart(t.Context(), halyard)) })
	<-arrived // and has the timetable to itself
	early.set(t, "2026-11-10 15:01")
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error, 1)
	go func() { waited <- a.Depart(ctx, halyard) }()
	if n := a.begun(); n != 0 {
		t.Errorf("%d releases were begun by a server that had to wait", n)
	}
	cancel()
	if err := <-waited; err == nil || !strings.Contains(err.Error(), "waiting for train") {
		t.Errorf("the other server did not wait: %v", err)
	}
	for range 3 {
		all.Go(func() { a.must(a.Depart(t.Context(), halyard)) })
		all.Go(func() { b.must(b.Depart(t.Context(), halyard)) })
	}
	free()
	all.Wait()
	b.departedOnce()
}

// What one server drives, no other one drives at the same time, though they share
// their secrets; and after a restart a server is who it was.
func TestServersHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	first, url := dueSoon(t)
	now := &clock{}
	now.set(t, "2026-11-09 14:00")
	arrived, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	free := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(free)
	a := open(t, first.dir, func(o *app.Options) {
		o.Now, o.Database = now.Now, url
		o.Boundary = func(point string) {
			if point == "before attempt options" {
				once.Do(func() {
					close(arrived)
					<-goOn
				})
			}
		}
	})
	a.meet(first)
	b := open(t, beside(t, first.dir), func(o *app.Options) { o.Now, o.Database = now.Now, url })
	if a.Owner(t) == b.Owner(t) {
		t.Errorf("both servers are %s", a.Owner(t))
	}
	run, err := a.Releases.Stage(t.Context(), cut.StageRequest{Repo: halyard, Branch: "release-1.1", Kind: release.Official, Mock: true, Actor: "ada"})
	a.must(err)
	drives := make(chan error, 1)
	go func() {
		_, err := a.Releases.Drive(context.Background(), run.ID, flow.DriveOptions{})
		drives <- err
	}()
	<-arrived
	if state, err := b.Releases.Drive(t.Context(), run.ID, flow.DriveOptions{}); !errors.Is(err, flow.ErrLeased) {
		t.Errorf("the other server drove the run as well: %s, %v", state, err)
	}
	free()
	a.must(<-drives)
	was := a.Owner(t)
	a.stop()
	if again := open(t, first.dir, func(o *app.Options) { o.Now, o.Database = now.Now, url }); again.Owner(t) != was {
		t.Errorf("%s is %s after a restart", was, again.Owner(t))
	}
}

// begun counts the real stages.
func (p *platform) begun() int {
	p.t.Helper()
	runs, err := p.Store.Runs(p.t.Context(), flow.RunFilter{Flow: "stage"})
	p.must(err)
	n := 0
	for _, r := range runs {
		if !r.Mock {
			n++
		}
	}
	return n
}

// Wherever a server is killed while it follows the timetable, another one on
// the same database, which was there all the time, goes on: nothing is begun
// twice, and nothing is left lying.
func TestTrainKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits until a dead server's work is taken over, which is a minute")
	}
	for _, point := range []string{"train departure logged", "train stage begun", "train cut begun"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			first, url := dueSoon(t)
			now := &clock{}
			now.set(t, "2026-11-10 14:00") // it is late
			other := open(t, first.dir, func(o *app.Options) { o.Now, o.Database = now.Now, url })
			other.meet(first)
			child := spawn(t, beside(t, first.dir), crashURL+"="+url, crashTrain+"=2026-11-10 15:01", crashStep+"=1 "+point)
			child.waitFor("point 1 " + point)
			child.kill()
			now.set(t, "2026-11-10 15:20") // when every lease has run out
			other.departedOnce()
		})
	}
}
