package run

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/forge"
)

// An event can come after what it leads to: the process was down when the forge
// sent it, and the merge queue went on from what it saw for itself.
func TestLateEvents(t *testing.T) {
	t.Parallel()
	opened := pullEvent("d1", "opened", pull(7, sha("7")))
	queued := Request{Repo: halyard, Pull: 7, Jobs: []string{"unit"}, Cause: "merge queue", Key: "queue"}
	for name, c := range map[string]struct {
		before func(p *pier)
		want   []string
	}{
		"the queue tests it":       {func(p *pier) { p.begin(queued) }, []string{"unit triggered", "quiet triggered"}},
		"the queue has tested it":  {func(p *pier) { p.begin(queued); p.drain() }, []string{"unit success", "quiet triggered"}},
		"tested on an earlier tip": {func(p *pier) { p.begin(queued); p.drain(); p.forge.branches["main"] = sha("d") }, []string{"unit success", "unit triggered", "quiet triggered"}},
		"it is merged":             {func(p *pier) { p.begin(queued); p.drain(); p.close(7) }, []string{"unit success"}},
		"the forge lost it":        {func(p *pier) { delete(p.forge.pulls, 7) }, []string{"unit triggered", "quiet triggered"}},
		"it was handled before":    {func(p *pier) { p.handle(opened) }, []string{"unit triggered", "quiet triggered"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPier(t)
			c.before(p)
			p.handle(opened)
			if diff := cmp.Diff(c.want, p.states()); diff != "" {
				t.Errorf("executions (-want +got):\n%s", diff)
			}
		})
	}
}

func (p *pier) begin(r Request) {
	p.t.Helper()
	if _, err := p.Start(p.t.Context(), r); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pier) close(number int) {
	now := p.forge.pulls[number]
	now.State = forge.StateClosed
	p.forge.pulls[number] = now
}
