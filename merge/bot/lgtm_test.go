package bot

import (
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/forge"
)

func TestReviewActsAsLGTM(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.review("cho", forge.ReviewApproved, "")
	s.wantLabels("release-note")
	s.policy.ReviewActsAsLGTM = true
	s.reviews = nil
	s.review("eve", forge.ReviewApproved, "")
	s.wantLabels("release-note")
	s.wantAnswer()
	s.review("cho", forge.ReviewApproved, "")
	s.wantLabels("release-note", "lgtm")
	s.review("dee", forge.ReviewChangesRequested, "")
	s.wantLabels("release-note")
	s.review("dee", forge.ReviewApproved, "/hold")
	s.wantLabels("release-note", "lgtm", "approved", "do-not-merge/hold")
}

func TestLGTMSurvivesAPushOfTheSameTree(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.trees = map[string]string{"head1": "T1", "head2": "T1", "head3": "T2"}
	s.say("cho", "/lgtm")
	s.push("head2")
	s.wantLabels("release-note", "kind/documentation", "lgtm")
	s.push("head3")
	s.wantLabels("release-note", "kind/documentation")
}

func TestAnOldLGTMDoesNotComeBack(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.say("cho", "/lgtm")
	late := s.last
	s.push("head2")
	if calls := s.handle(late); len(calls) != 0 {
		t.Errorf("an event from before the push did %q", calls)
	}
	s.wantLabels("release-note", "kind/documentation")
}

func TestAnOldLGTMNobodyHeardDoesNotCount(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.pull("opened")
	at := s.clock.Add(30 * time.Second)
	s.push("head2") // a minute later
	comment := func(at time.Time) {
		c := forge.Comment{ID: int64(len(s.comments) + 1), Author: "dee", Body: "/lgtm", CreatedAt: at}
		s.comments = append(s.comments, c)
		s.handle(forge.Event{Kind: forge.EventIssueComment, Action: "created", Sender: "dee", Comment: &c, Issue: &forge.Issue{Number: 7, IsPull: true}})
	}
	comment(at)
	s.wantLabels("release-note", "kind/documentation")
	// In the very second of the push nobody can tell; it is believed.
	comment(s.clock.Truncate(time.Second))
	s.wantLabels("release-note", "kind/documentation", "lgtm")
}

// The event of a push may be handled after others that follow it.
func TestAPushThatNobodyToldOf(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.pull("opened")
	s.say("cho", "/lgtm")
	s.wantLabels("release-note", "kind/documentation", "lgtm")
	s.clock = s.clock.Add(time.Minute)
	s.moveHead("head2")
	pushed := s.clock
	if err := s.bot.Refresh(t.Context(), halyard, 7); err != nil {
		t.Fatal(err)
	}
	s.wantLabels("release-note", "kind/documentation")
	if body := s.comment(approvalMarker); !strings.Contains(body, "It was pushed to after it was reviewed") {
		t.Errorf("the comment does not ask for lgtm again:\n%s", body)
	}
	s.say("cho", "/lgtm")
	s.wantLabels("release-note", "kind/documentation", "lgtm")
	pr := s.pr
	pr.UpdatedAt = pushed
	s.handle(forge.Event{Kind: forge.EventPullRequest, Action: "synchronize", Sender: "ben", PullRequest: &pr})
	s.wantLabels("release-note", "kind/documentation", "lgtm")
}

// What was said between a push and the first look at it counts once the push's
// own event tells when it was.
func TestAGuessIsCorrected(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.pull("opened")
	s.clock = s.clock.Add(time.Minute)
	s.moveHead("head2")
	pushed := s.clock
	s.comments = append(s.comments, forge.Comment{ID: 90, Author: "cho", Body: "/lgtm", CreatedAt: s.clock.Add(10 * time.Second)})
	s.clock = s.clock.Add(time.Minute)
	s.say("ben", "/hold") // touches the pull request, and is handled first
	s.wantLabels("release-note", "kind/documentation", "do-not-merge/hold")
	pr := s.pr
	pr.UpdatedAt = pushed
	s.handle(forge.Event{Kind: forge.EventPullRequest, Action: "synchronize", Sender: "ben", PullRequest: &pr})
	s.wantLabels("release-note", "kind/documentation", "do-not-merge/hold", "lgtm")
}

func TestLGTMByHand(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.pull("opened")
	label := func(action string) {
		s.clock = s.clock.Add(time.Minute)
		s.pr.UpdatedAt = s.clock
		pr := s.pr
		s.handle(forge.Event{Kind: forge.EventPullRequest, Action: action, Sender: "ada", Label: "lgtm", PullRequest: &pr})
	}
	s.pr.Labels = append(s.pr.Labels, "lgtm")
	label("labeled")
	s.wantLabels("release-note", "kind/documentation", "lgtm")
	s.push("head2")
	s.wantLabels("release-note", "kind/documentation")
	s.say("cho", "/lgtm")
	s.pr.Labels = slices.DeleteFunc(s.pr.Labels, func(l string) bool { return l == "lgtm" })
	label("unlabeled")
	s.wantLabels("release-note", "kind/documentation")
}

func TestAnOldPushDoesNotDropANewLGTM(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.push("head2")
	late := s.last
	s.say("cho", "/lgtm")
	s.handle(late)
	s.wantLabels("release-note", "kind/documentation", "lgtm")
}
