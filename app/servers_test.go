package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/job"
	"seaworthy/store/storetest"
)

// beside makes the state folder of a further server: of its own but for what
// servers share, which is the bucket, the forge's repositories and the secrets.
func beside(t *testing.T, dir string) string {
	t.Helper()
	other := t.TempDir()
	for _, shared := range []string{"bucket", "git", "secrets"} {
		if err := os.Symlink(filepath.Join(dir, shared), filepath.Join(other, shared)); err != nil {
			t.Fatal(err)
		}
	}
	return other
}

// Three servers of one platform, to which people talk as a balancer sends them:
// all that happens happens once. One of them goes in the middle, and nobody waits
// for it.
func TestRoadOnServers(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	with := func(o *app.Options) { o.Database = url }
	dir := t.TempDir()
	servers := []*platform{open(t, dir, with)}
	p := servers[0]
	p.populate(sources)
	for range 2 {
		s := open(t, beside(t, dir), with)
		s.meet(p)
		servers = append(servers, s)
	}
	isSettled := func() {
		for _, s := range servers {
			s.settled()
		}
	}
	isSettled()
	tip, err := p.Forge.Branch(t.Context(), halyard, "main")
	p.must(err)

	const changes = 6
	var prs [changes]forge.PullRequest
	var people sync.WaitGroup
	for i := range changes {
		s := servers[i%len(servers)]
		people.Go(func() {
			name := fmt.Sprintf("knot-%d", i)
			prs[i] = s.propose("ben", name, map[string]string{name + ".txt": "bowline\n"})
		})
	}
	people.Wait()
	for i, pr := range prs { // each word of one change goes to another server
		for j, say := range []func(*platform){
			func(s *platform) { s.say("cho", pr.Number, "/lgtm") },
			func(s *platform) { s.say("ada", pr.Number, "/approve") },
		} {
			people.Go(func() { say(servers[(i+j+1)%len(servers)]) })
		}
	}
	people.Wait()
	servers[2].stop()
	servers = servers[:2]
	for _, pr := range prs {
		p.until("all changes have merged", func() bool { return p.pull(pr.Number).Merged })
	}
	isSettled()

	main, err := p.Forge.Branch(t.Context(), halyard, "main")
	p.must(err)
	commits, _, err := p.Forge.Compare(t.Context(), halyard, tip.SHA, main.SHA)
	p.must(err)
	if len(commits) != changes {
		t.Errorf("%d changes made %d commits", changes, len(commits))
	}
	for _, c := range commits {
		if n := len(p.executions(job.ExecutionFilter{Job: "post-unit", SHA: c.SHA})); n != 1 {
			t.Errorf("the merge %s was tested %d times", c.SHA, n)
		}
	}
	for _, pr := range prs {
		p.saidOnce(pr.Number)
	}
	hooks, err := p.as["ada"].Hooks(t.Context(), halyard)
	p.must(err)
	if len(hooks) != 1 {
		t.Errorf("hooks: %+v", hooks)
	}
}
