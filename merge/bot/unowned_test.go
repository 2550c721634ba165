package bot

import (
	"strings"
	"testing"
)

// Without an OWNERS file whoever works on the repository may approve, their
// own change too, but nothing is approved by being opened.
func TestUnownedRepository(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"ada", "ben"} { // ben is the author
		s := newStage(t)
		delete(s.tree, "OWNERS")
		delete(s.tree, "docs/OWNERS")
		s.pull("opened")
		s.wantLabels("release-note")
		if body := s.comment(approvalMarker); !strings.Contains(body, "anybody who works on this repository") || strings.Contains(body, "| owners |") {
			t.Errorf("the comment does not say who may approve:\n%s", body)
		}
		s.say("eve", "/approve") // no collaborator
		s.wantLabels("release-note")
		s.say(who, "/approve")
		s.wantLabels("release-note", "approved")
		s.say(who, "/approve cancel")
		s.wantLabels("release-note")
	}
}
