package bot

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/forge"
	"seaworthy/merge"
)

func TestOpened(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	calls := s.pull("opened")
	want := []string{
		"RequestReviewers #7 dee cho",
		"CreateComment #7",
		"AddLabels #7 kind/documentation release-note size/XS",
	}
	slices.Sort(want)
	slices.Sort(calls)
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	body := s.comment(approvalMarker)
	for _, part := range []string{
		"**Not approved yet.** It needs `/approve` from **dee**",
		"| 1 | [docs/OWNERS](http://forge/harbour/halyard/blob/main/docs/OWNERS) | nobody yet |",
		"It needs `/lgtm` from a reviewer.", "http://here/commands",
	} {
		if !strings.Contains(body, part) {
			t.Errorf("the comment lacks %q:\n%s", part, body)
		}
	}
	s.wantAnswer()
}

func TestRoad(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.pull("opened")
	s.say("cho", "Nice!\r\n/lgtm\r\n")
	s.wantLabels("kind/documentation", "release-note", "lgtm")
	s.say("dee", "/approve")
	s.wantLabels("kind/documentation", "release-note", "lgtm", "approved")
	if body := s.comment(approvalMarker); !strings.Contains(body, "**Approved** by the owners") || !strings.Contains(body, "| dee |") || !strings.Contains(body, "Looks good to cho.") {
		t.Errorf("the comment does not say it is approved:\n%s", body)
	}
	s.push("head2")
	s.wantLabels("kind/documentation", "release-note", "approved")
	if body := s.comment(approvalMarker); !strings.Contains(body, "It was pushed to after it was reviewed") {
		t.Errorf("the comment does not ask for lgtm again:\n%s", body)
	}
	s.say("cho", "/lgtm")
	s.wantLabels("kind/documentation", "release-note", "approved", "lgtm")
	s.say("dee", "/approve cancel")
	s.wantLabels("kind/documentation", "release-note", "lgtm")
	if n := len(slices.DeleteFunc(slices.Clone(s.comments), func(c forge.Comment) bool { return c.Author != "seaworthy-bot" })); n != 1 {
		t.Errorf("the bot wrote %d comments, want 1", n)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	tests := []struct {
		who, say string
		start    []string // labels before
		labels   []string // labels after, beside approved, release-note and sizes
		call     string   // a call that must have been made
		answer   string   // part of the answer; "" wants none
	}{
		{who: "ben", say: "/lgtm", answer: "@ben: you cannot give /lgtm to your own change"},
		{who: "eve", say: "/lgtm", answer: "from collaborators of this repository only"},
		{who: "CHO", say: "/LGTM", labels: []string{"lgtm"}},
		{who: "cho", say: "/lgtm once the typo is gone"},
		{who: "cho", say: "> /lgtm"},
		{who: "cho", say: "/lgtm cancel", start: []string{"lgtm"}},
		{who: "ben", say: "/remove-lgtm", start: []string{"lgtm"}},
		{who: "eve", say: "/lgtm cancel", start: []string{"lgtm"}, labels: []string{"lgtm"}, answer: "`/lgtm cancel`: this is for the author and collaborators."},
		{who: "cho", say: "/approve", answer: "no OWNERS file names you"},
		{who: "ada", say: "/approve"},
		{who: "ben", say: "/hold", labels: []string{"do-not-merge/hold"}},
		{who: "eve", say: "/hold", answer: "`/hold`: this is for the author and collaborators."},
		{who: "ben", say: "/hold cancel", start: []string{"do-not-merge/hold"}},
		{who: "ben", say: "/unhold", start: []string{"do-not-merge/hold"}},
		{who: "ben", say: "/remove-hold", start: []string{"do-not-merge/hold"}},
		{who: "eve", say: "/assign", call: "AddAssignees #7 eve"},
		{who: "eve", say: "/assign @ada, cho", call: "AddAssignees #7 ada cho"},
		{who: "eve", say: "/unassign @ada", call: "RemoveAssignees #7 ada"},
		{who: "eve", say: "/cc @ada @ben", call: "RequestReviewers #7 ada"},
		{who: "cho", say: "/cc", call: "RequestReviewers #7 cho"},
		{who: "ben", say: "/cc"},
		{who: "cho", say: "/uncc", answer: "taken back on the page only"},
		{who: "ben", say: "/label Good First Issue", labels: []string{"good first issue"}},
		{who: "ben", say: "/label nonsense", answer: "has no label nonsense"},
		{who: "ben", say: "/label", answer: "name the label"},
		{who: "ben", say: "/label LGTM", answer: "follows from other commands"},
		{who: "ben", say: "/remove-label do-not-merge/hold", start: []string{"do-not-merge/hold"}, labels: []string{"do-not-merge/hold"}, answer: "follows from other commands"},
		{who: "eve", say: "/label kind/bug", answer: "this is for the author and collaborators"},
		{who: "ben", say: "/remove-label kind/bug", start: []string{"kind/bug"}},
		{who: "eve", say: "/kind Bug", labels: []string{"kind/bug"}},
		{who: "eve", say: "/kind bug\n/area docs moon", labels: []string{"kind/bug", "area/docs"}, answer: "has no label area/moon"},
		{who: "eve", say: "/remove-kind bug", start: []string{"kind/bug"}},
		{who: "ada", say: "/milestone V1.4", call: `EditIssue #7 milestone "v1.4"`},
		{who: "ada", say: "/milestone v9", answer: "open ones are `v1.4`, `v1.5`"},
		{who: "ada", say: "/milestone clear"},
		{who: "eve", say: "/milestone v1.4", answer: "this is for collaborators."},
		{who: "ben", say: "/close", call: "EditIssue #7 state closed"},
		{who: "ben", say: "/reopen"},
		{who: "eve", say: "/close", answer: "this is for"},
		{who: "ben", say: "/retitle Mend it well", call: `EditIssue #7 title "Mend it well"`},
		{who: "ben", say: "/retitle", answer: "write the title on the same line"},
		{who: "ben", say: "/retitle Mend the tide table"},
		{who: "ben", say: "/release-note-none", answer: "the description has a release note"},
		{who: "ada", say: "/meow and /shrug"},
		{who: "seaworthy-bot", say: "/lgtm"},
		{who: "ada", say: "```\n/hold\n```"},
	}
	for _, tt := range tests {
		t.Run(tt.who+" "+tt.say, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.pr.Author = "ben"
			s.pull("opened")
			s.pr.Reviewers = nil
			s.pr.Labels = append([]string{"release-note", "size/XS", "approved"}, tt.start...)
			s.say("ada", "/approve")
			if slices.Contains(tt.start, "lgtm") {
				s.say("cho", "/lgtm")
			}
			s.taken()
			calls := s.say(tt.who, tt.say)
			s.wantLabels(append([]string{"approved", "release-note"}, tt.labels...)...)
			if tt.answer == "" {
				s.wantAnswer()
			} else {
				s.wantAnswer(tt.answer)
			}
			if tt.call != "" && !slices.Contains(calls, tt.call) {
				t.Errorf("calls %q lack %q", calls, tt.call)
			}
			if len(s.runner.asked) != 0 {
				t.Errorf("started tests: %+v", s.runner.asked)
			}
		})
	}
}

func TestAnswersAreEditedInPlace(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.pull("opened")
	s.say("ben", "/lgtm")
	calls := s.say("eve", "/close\n/hold")
	if !slices.ContainsFunc(calls, func(c string) bool { return strings.HasPrefix(c, "EditComment") }) || slices.Contains(calls, "CreateComment #7") {
		t.Errorf("calls %q, want the answer edited", calls)
	}
	s.wantAnswer("@eve:", "- `/close`: this is for", "- `/hold`: this is for")
}

func TestTests(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.say("ben", "/test unit e2e\n/retest")
	if len(s.runner.asked) != 4 { // twice each, with the same keys
		t.Fatalf("asked %d times, want 4", len(s.runner.asked))
	}
	a := s.runner.asked
	if a[0].Command != "/test unit e2e" || a[1].Command != "/retest" || a[0].Actor != "ben" || a[0].PullRequest.Number != 7 {
		t.Errorf("asked for %+v", a[:2])
	}
	if a[0].Key != a[2].Key || a[0].Key == a[1].Key {
		t.Errorf("keys %q, %q, %q", a[0].Key, a[1].Key, a[2].Key)
	}
	s.runner.answer = TestAnswer{Help: true, Required: []string{"/test unit"}, Optional: []string{"/test lint"}, All: []string{"unit"}}
	s.say("ben", "/test ?")
	s.wantAnswer("you can say for required jobs `/test unit`; for optional jobs `/test lint`; `/test all` runs `unit`.")
	s.runner.answer = TestAnswer{Help: true}
	s.say("ben", "/test ?")
	s.wantAnswer("this branch has no jobs")
	s.runner.err = errors.New("full")
	ev := s.last
	if err := s.bot.HandleEvent(t.Context(), ev); err == nil || !strings.Contains(err.Error(), "/test ? by ben: full") {
		t.Errorf("error = %v", err)
	}
}

func TestStrangersWait(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.pr.Author = "eve"
	s.pull("opened")
	s.wantLabels("kind/documentation", "release-note", "needs-ok-to-test")
	s.say("eve", "/test all")
	s.wantAnswer("a collaborator has to say `/ok-to-test` first")
	s.say("eve", "/ok-to-test")
	s.wantAnswer("this is for collaborators")
	s.say("ada", "/ok-to-test")
	s.wantLabels("kind/documentation", "release-note", "ok-to-test")
	s.say("eve", "/test all")
	if len(s.runner.asked) != 2 {
		t.Errorf("tests were asked for %d times, want 2", len(s.runner.asked))
	}
	s.say("ada", "/ok-to-test cancel")
	s.wantLabels("kind/documentation", "release-note", "needs-ok-to-test")
	s.pr.Author = "ben"
	s.say("ada", "/ok-to-test")
	s.wantLabels("kind/documentation", "release-note")
}

func TestAutomaticLabels(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(*stage)
		want []string
	}{
		{"plain", func(*stage) {}, []string{"release-note", "size/XS"}},
		{"draft", func(s *stage) { s.pr.Draft = true }, []string{"release-note", "size/XS", "do-not-merge/work-in-progress"}},
		{"WIP", func(s *stage) { s.pr.Title = "[wip] Mend" }, []string{"release-note", "size/XS", "do-not-merge/work-in-progress"}},
		{"wipe", func(s *stage) { s.pr.Title = "Wipe the deck" }, []string{"release-note", "size/XS"}},
		{"conflict", func(s *stage) { s.pr.Mergeability = forge.MergeConflict }, []string{"release-note", "size/XS", "needs-rebase"}},
		{"conflict gone", func(s *stage) { s.pr.Labels = []string{"needs-rebase"} }, []string{"release-note", "size/XS"}},
		{"conflict not known", func(s *stage) { s.pr.Labels = []string{"needs-rebase"}; s.pr.Mergeability = "" }, []string{"release-note", "size/XS", "needs-rebase"}},
		{"no note", func(s *stage) { s.pr.Body = "" }, []string{"do-not-merge/release-note-label-needed", "size/XS"}},
		{"none", func(s *stage) { s.pr.Body = "none" }, []string{"release-note-none", "size/XS"}},
		{"said to be none", func(s *stage) { s.pr.Body = ""; s.pr.Labels = []string{"release-note-none"} }, []string{"release-note-none", "size/XS"}},
		{"a note after all", func(s *stage) { s.pr.Labels = []string{"release-note-none", "do-not-merge/release-note-label-needed"} }, []string{"release-note", "size/XS"}},
		{"action required", func(s *stage) { s.pr.Body = "action\nof all" }, []string{"release-note-action-required", "size/XS"}},
		{"notes not asked for", func(s *stage) { s.policy.ReleaseNotes = false }, []string{"size/XS"}},
		{"size S", func(s *stage) { s.files[0].Additions, s.files[0].Deletions = 5, 5 }, []string{"release-note", "size/S"}},
		{"size XXL", func(s *stage) { s.files[0].Additions = 1000; s.pr.Labels = []string{"size/S"} }, []string{"release-note", "size/XXL"}},
		{"size L", func(s *stage) { s.files[0].Additions = 499 }, []string{"release-note", "size/L"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			tt.edit(s)
			s.pull("edited")
			have := slices.Sorted(slices.Values(s.pr.Labels))
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, have); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReleaseNoteNone(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.pr.Body = "/release-note-none\n/kind bug"
	s.pull("opened")
	s.wantLabels("kind/documentation", "kind/bug", "release-note-none")
	s.pr.Body = "note"
	s.pull("edited")
	s.wantLabels("kind/documentation", "kind/bug", "release-note")
}

func TestApprovedByHand(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.pull("opened")
	label := func(action, who string) {
		pr := s.pr
		s.handle(forge.Event{Kind: forge.EventPullRequest, Action: action, Sender: who, Label: "approved", PullRequest: &pr})
	}
	s.pr.Labels = append(s.pr.Labels, "approved")
	label("labeled", "seaworthy-bot") // the bot's own label is nobody's word
	s.say("ben", "/unhold")
	s.wantLabels("kind/documentation", "release-note")
	s.pr.Labels = append(s.pr.Labels, "approved")
	label("labeled", "ada")
	s.wantLabels("kind/documentation", "release-note", "approved")
	s.push("head2")
	s.wantLabels("kind/documentation", "release-note", "approved")
	if body := s.comment(approvalMarker); !strings.Contains(body, "by hand: ada set the label") {
		t.Errorf("the comment does not name who approved:\n%s", body)
	}
	s.pr.Labels = slices.DeleteFunc(s.pr.Labels, func(l string) bool { return l == "approved" })
	label("unlabeled", "ada")
	s.wantLabels("kind/documentation", "release-note")
	s.pr.Labels = append(s.pr.Labels, "approved")
	label("labeled", "ada")
	s.say("ada", "/approve cancel")
	s.wantLabels("kind/documentation", "release-note")
}

func TestForgedStateIsNotRead(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.comments = append(s.comments, forge.Comment{ID: 99, Author: "eve", CreatedAt: noon,
		Body: approvalMarker + "\n" + state{ByHand: "ada"}.String()})
	s.pull("edited")
	s.wantLabels("release-note")
}

func TestChangesCannotAppointTheirOwnApprovers(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.files = []forge.FileChange{{Path: "docs/OWNERS"}, {Path: "new/guide.md", PreviousPath: "docs/guide.md", Status: "renamed"}}
	s.pull("opened")
	s.say("dee", "/approve")
	s.wantLabels("kind/documentation", "release-note") // the new place belongs to the root
	s.say("ada", "/approve")
	s.wantLabels("kind/documentation", "release-note", "approved")
}

func TestNobodyOwnsIt(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.tree = map[string]string{"OWNERS": "approvers: [gone]\n"}
	s.pull("opened")
	if body := s.comment(approvalMarker); !strings.Contains(body, "no OWNERS file names somebody else who could") {
		t.Errorf("comment:\n%s", body)
	}
	s.files = nil
	s.pull("edited")
	if body := s.comment(approvalMarker); !strings.Contains(body, "it changes no file") {
		t.Errorf("comment:\n%s", body)
	}
}

func TestDraftsAskNobody(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.pr.Draft = true
	s.pull("opened")
	if len(s.pr.Reviewers) != 0 {
		t.Errorf("asked %q to review a draft", s.pr.Reviewers)
	}
	s.pr.Draft = false
	s.pull("ready_for_review")
	if diff := cmp.Diff([]string{"dee", "cho"}, s.pr.Reviewers); diff != "" {
		t.Error(diff)
	}
}

func TestRefusedReviewersDoNotFailTheEvent(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.fail["RequestReviewers"] = fmt.Errorf("no: %w", forge.ErrInvalid)
	s.pull("opened")
	s.wantLabels("kind/documentation", "release-note")
	s.say("ben", "/cc @zed")
	s.wantAnswer("does not accept them as reviewers")
}

func TestIssues(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.issue.Body = "It leaks.\n/kind bug\n/lgtm\n/assign @ada"
	issue := s.issue
	calls := s.handle(forge.Event{Kind: forge.EventIssues, Action: "opened", Sender: "eve", Issue: &issue})
	if diff := cmp.Diff([]string{"AddAssignees #8 ada", "AddLabels #8 kind/bug"}, calls); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c := forge.Comment{ID: 1, Author: "eve", Body: "/close\n/remove-kind bug", CreatedAt: noon}
	calls = s.handle(forge.Event{Kind: forge.EventIssueComment, Action: "created", Sender: "eve", Issue: &issue, Comment: &c})
	if diff := cmp.Diff([]string{"EditIssue #8 state closed", "RemoveLabel #8 kind/bug"}, calls); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPushUpdatesNeedsRebase(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.pr.Mergeability = forge.MergeConflict
	push := forge.Event{Kind: forge.EventPush, Push: &forge.Push{Ref: "refs/heads/main", After: "abc"}}
	s.handle(push)
	s.wantLabels("needs-rebase")
	s.pr.Mergeability = forge.MergeClean
	s.handle(push)
	s.wantLabels()
	for _, p := range []forge.Push{{Ref: "refs/tags/v1", After: "abc"}, {Ref: "refs/heads/main", After: strings.Repeat("0", 40)}} {
		s.pr.Mergeability = forge.MergeConflict
		s.handle(forge.Event{Kind: forge.EventPush, Push: &p})
		s.wantLabels()
	}
}

func TestQuietEvents(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.pr.State = forge.StateClosed
	pr := s.pr
	c := forge.Comment{ID: 1, Author: "ada", Body: "fine"}
	for _, ev := range []forge.Event{
		{Kind: forge.EventPing},
		{Kind: forge.EventPullRequest, Action: "closed", Sender: "ben", PullRequest: &pr},
		{Kind: forge.EventIssueComment, Action: "created", Comment: &c, Issue: &forge.Issue{Number: 7, IsPull: true}},
		{Kind: forge.EventIssues, Action: "closed", Issue: &s.issue},
		{Kind: forge.EventStatus},
	} {
		if calls := s.handle(ev); len(calls) != 0 {
			t.Errorf("%s %s did %q", ev.Kind, ev.Action, calls)
		}
	}
	if err := s.bot.HandleEvent(t.Context(), forge.Event{Kind: forge.EventPullRequest}); err != nil {
		t.Errorf("an event without a repository: %v", err)
	}
}

func TestErrorsSayWhatWasAttempted(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"PullRequest", "Comments", "Collaborators", "PullRequestFiles", "Reviews", "File", "CreateComment", "AddLabels"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.fail[method] = forge.ErrUnavailable
			pr := s.pr
			err := s.bot.HandleEvent(t.Context(), forge.Event{Kind: forge.EventPullRequest, Repo: halyard, Action: "opened", PullRequest: &pr})
			if !errors.Is(err, forge.ErrUnavailable) || !strings.Contains(err.Error(), "bot: pull_request opened on harbour/halyard#7") {
				t.Errorf("error = %v", err)
			}
			// Once the forge answers again, the same event brings everything.
			delete(s.fail, method)
			s.pull("opened")
			s.wantLabels("kind/documentation", "release-note")
		})
	}
}

func TestEnsureLabels(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.labels = []string{"LGTM"}
	if err := s.bot.EnsureLabels(t.Context(), halyard); err != nil {
		t.Fatal(err)
	}
	if got := len(s.taken()); got != len(Labels())-1 {
		t.Errorf("created %d labels, want %d", got, len(Labels())-1)
	}
	if err := s.bot.EnsureLabels(t.Context(), halyard); err != nil || len(s.taken()) != 0 {
		t.Errorf("a second time it creates more (%v)", err)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range Commands() {
		if len(c.Names) == 0 || c.Help == "" || c.Usage == "" || c.Who == "" || c.act == nil {
			t.Errorf("incomplete: %+v", c)
		}
		for _, n := range c.Names {
			if seen[n] {
				t.Errorf("/%s is there twice", n)
			}
			seen[n] = true
		}
		if !strings.HasSuffix(c.Help, ".") || !strings.HasPrefix(c.Usage, "/"+c.Names[0]) {
			t.Errorf("/%s: help %q, usage %q", c.Names[0], c.Help, c.Usage)
		}
		parsed := merge.ParseCommands(c.Example)
		if len(parsed) != 1 || !slices.Contains(c.Names, parsed[0].Name) {
			t.Errorf("/%s: the example %q is no such command", c.Names[0], c.Example)
		}
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	want := state{ByHand: "a --> b", HandLGTM: "cho", Head: "1", Tree: "2", Since: noon.Add(time.Nanosecond), Guessed: true, Stale: true}
	text := "before " + want.String() + " after"
	if strings.Count(text, "-->") != 1 {
		t.Errorf("a value ends the HTML comment: %s", text)
	}
	if diff := cmp.Diff(want, readState(text)); diff != "" {
		t.Error(diff)
	}
	for _, broken := range []string{"", stateOpen, stateOpen + "{" + stateClose, stateOpen + "[]" + stateClose} {
		if got := readState(broken); got != (state{}) {
			t.Errorf("readState(%q) = %+v", broken, got)
		}
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	full := newStage(t).bot.opt
	for name, strip := range map[string]func(*Options){
		"Forge": func(o *Options) { o.Forge = nil }, "Runner": func(o *Options) { o.Runner = nil },
		"Login": func(o *Options) { o.Login = "" }, "Policy": func(o *Options) { o.Policy = nil },
		"Note": func(o *Options) { o.Note = nil }, "Now": func(o *Options) { o.Now = nil },
	} {
		o := full
		strip(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), "Options."+name) && !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func FuzzState(f *testing.F) {
	f.Add(state{ByHand: "ada"}.String())
	f.Add(stateOpen + `{"lgtmDropped":"x"}` + stateClose)
	f.Fuzz(func(t *testing.T, body string) {
		s := readState(body)
		again := readState(s.String())
		if !again.Since.Equal(s.Since) {
			t.Errorf("%v becomes %v", s.Since, again.Since)
		}
		s.Since, again.Since = time.Time{}, time.Time{}
		if again != s {
			t.Errorf("%+v becomes %+v", s, again)
		}
	})
}
