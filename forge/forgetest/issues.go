package forgetest

import (
	"fmt"
	"slices"
	"time"

	"seaworthy/forge"
)

var issueTests = map[string]func(*test){
	"an issue lives":                   issueLives,
	"issues are found by filters":      issueFilters,
	"a pull request is an issue too":   pullIsIssue,
	"assignees come and go":            assignees,
	"comments are written and changed": commentsChange,
	"comments are listed to the last":  manyComments,
	"labels come and go":               labelsComeAndGo,
	"labels are listed to the last":    manyLabels,
	"milestones are made and changed":  milestones,
	"a milestone is set and cleared":   milestoneSet,
}

// open opens an issue.
func (t *test) open(n forge.NewIssue) forge.Issue {
	t.Helper()
	i, err := t.Ann.Client.CreateIssue(t.ctx, t.repo, n)
	t.need(err)
	return i
}

// issue looks an issue up.
func (t *test) issue(number int) forge.Issue {
	t.Helper()
	i, err := t.Ann.Client.Issue(t.ctx, t.repo, number)
	t.need(err)
	return i
}

func issueLives(t *test) {
	_, err := t.Admin.Client.CreateMilestone(t.ctx, t.repo, forge.Milestone{Title: "v1.0"})
	t.need(err)
	t.need(t.Admin.Client.CreateLabel(t.ctx, t.repo, forge.Label{Name: "bug", Color: "ff0000"}))
	i := t.open(forge.NewIssue{Title: "Title", Body: "Body", Labels: []string{"bug"}, Assignees: []string{t.Ben.Login}, Milestone: "v1.0"})
	for what, i := range map[string]forge.Issue{"created": i, "looked up": t.issue(i.Number)} {
		equal(t, what+" repository", i.Repo, t.repo)
		equal(t, what+" title", i.Title, "Title")
		equal(t, what+" body", i.Body, "Body")
		equal(t, what+" author", i.Author, t.Ann.Login)
		equal(t, what+" state", i.State, forge.StateOpen)
		equal(t, what+" milestone", i.Milestone, "v1.0")
		equal(t, what+" is a pull request", i.IsPull, false)
		same(t, what+" labels", i.Labels, []string{"bug"})
		same(t, what+" assignees", i.Assignees, []string{t.Ben.Login})
		t.recent(what+" creation", i.CreatedAt)
	}
	t.need(t.Ann.Client.EditIssue(t.ctx, t.repo, i.Number, forge.EditIssue{Title: ptr("New"), State: ptr(forge.StateClosed)}))
	got := t.issue(i.Number)
	equal(t, "title", got.Title, "New")
	equal(t, "body", got.Body, "Body")
	equal(t, "state", got.State, forge.StateClosed)
	t.recent("closing", got.ClosedAt)
	t.need(t.Ann.Client.EditIssue(t.ctx, t.repo, i.Number, forge.EditIssue{State: ptr(forge.StateOpen)}))
	equal(t, "closing after reopening", t.issue(i.Number).ClosedAt.IsZero(), true)

	_, err = t.Ann.Client.Issue(t.ctx, t.repo, 4711)
	t.refused(err, forge.ErrNotFound, "an issue that is not there")
	t.refused(t.Ann.Client.EditIssue(t.ctx, t.repo, 4711, forge.EditIssue{Title: ptr("x")}), forge.ErrNotFound, "editing it")
	_, err = t.Ann.Client.CreateIssue(t.ctx, t.repo, forge.NewIssue{})
	t.refused(err, forge.ErrInvalid, "an issue without a title")
	_, err = t.Ann.Client.CreateIssue(t.ctx, t.repo, forge.NewIssue{Title: "x", Milestone: "none"})
	t.refused(err, forge.ErrNotFound, "a milestone that is not there")
}

func issueFilters(t *test) {
	for _, m := range []string{"v1", "v2"} {
		_, err := t.Admin.Client.CreateMilestone(t.ctx, t.repo, forge.Milestone{Title: m})
		t.need(err)
	}
	a := t.open(forge.NewIssue{Title: "a", Labels: []string{"bug", "kind/two words"}, Milestone: "v1"})
	b := t.open(forge.NewIssue{Title: "b", Labels: []string{"bug"}, Milestone: "v2"})
	c := t.open(forge.NewIssue{Title: "c"})
	t.need(t.Ann.Client.EditIssue(t.ctx, t.repo, c.Number, forge.EditIssue{State: ptr(forge.StateClosed)}))
	for _, f := range []struct {
		filter forge.IssueFilter
		want   []int
	}{
		{forge.IssueFilter{}, []int{b.Number, a.Number}},
		{forge.IssueFilter{State: "closed"}, []int{c.Number}},
		{forge.IssueFilter{State: "all"}, []int{c.Number, b.Number, a.Number}},
		{forge.IssueFilter{Labels: []string{"bug"}}, []int{b.Number, a.Number}},
		{forge.IssueFilter{Labels: []string{"bug", "kind/two words"}}, []int{a.Number}},
		{forge.IssueFilter{Labels: []string{"none"}}, []int{}},
		{forge.IssueFilter{Milestone: "v2"}, []int{b.Number}},
	} {
		got, err := t.Ben.Client.Issues(t.ctx, t.repo, f.filter)
		t.need(err)
		same(t, fmt.Sprintf("list for %+v", f.filter), names(got, func(i forge.Issue) int { return i.Number }), f.want)
	}
	_, err := t.Ann.Client.Issues(t.ctx, t.repo, forge.IssueFilter{Milestone: "none"})
	t.refused(err, forge.ErrNotFound, "a milestone that is not there")
}

func pullIsIssue(t *test) {
	w := t.seeded(t.Ann)
	w.change("topic", "a", "1\n")
	i := t.open(forge.NewIssue{Title: "first"})
	p := w.pull("topic")
	equal(t, "numbers are shared", p.Number, i.Number+1)
	got := t.issue(p.Number)
	equal(t, "is a pull request", got.IsPull, true)
	equal(t, "title", got.Title, p.Title)
	c := t.Ann.Client
	t.need(c.AddLabels(t.ctx, t.repo, p.Number, "lgtm", "approved"))
	same(t, "labels of the pull request", slices.Sorted(slices.Values(t.pull(p.Number).Labels)), []string{"approved", "lgtm"})
	_, err := c.CreateComment(t.ctx, t.repo, p.Number, "/lgtm")
	t.need(err)
	all, err := c.Issues(t.ctx, t.repo, forge.IssueFilter{})
	t.need(err)
	same(t, "issues", names(all, func(i forge.Issue) int { return i.Number }), []int{p.Number, i.Number})
	_, err = c.PullRequest(t.ctx, t.repo, i.Number)
	t.refused(err, forge.ErrNotFound, "an issue as a pull request")
}

func assignees(t *test) {
	i := t.open(forge.NewIssue{Title: "x"})
	c := t.Ann.Client
	t.need(c.AddAssignees(t.ctx, t.repo, i.Number, []string{t.Ben.Login, t.Ann.Login}))
	got := t.issue(i.Number).Assignees
	slices.Sort(got)
	want := []string{t.Ann.Login, t.Ben.Login}
	slices.Sort(want)
	same(t, "assignees", got, want)
	t.need(c.RemoveAssignees(t.ctx, t.repo, i.Number, []string{t.Ann.Login}))
	t.need(c.RemoveAssignees(t.ctx, t.repo, i.Number, []string{t.Ann.Login}))
	same(t, "assignees", t.issue(i.Number).Assignees, []string{t.Ben.Login})
	t.refused(c.AddAssignees(t.ctx, t.repo, 4711, []string{t.Ben.Login}), forge.ErrNotFound, "an issue that is not there")
}

func commentsChange(t *test) {
	i := t.open(forge.NewIssue{Title: "x"})
	c := t.Ben.Client
	first, err := c.CreateComment(t.ctx, t.repo, i.Number, "/lgtm\nWell done ✓")
	t.need(err)
	equal(t, "author", first.Author, t.Ben.Login)
	t.recent("creation", first.CreatedAt)
	second, err := c.CreateComment(t.ctx, t.repo, i.Number, "second")
	t.need(err)
	t.need(c.EditComment(t.ctx, t.repo, first.ID, "edited"))
	list, err := t.Ann.Client.Comments(t.ctx, t.repo, i.Number)
	t.need(err)
	same(t, "comments", names(list, func(m forge.Comment) string { return m.Author + ": " + m.Body }),
		[]string{t.Ben.Login + ": edited", t.Ben.Login + ": second"})
	t.need(c.DeleteComment(t.ctx, t.repo, first.ID))
	list, err = t.Ann.Client.Comments(t.ctx, t.repo, i.Number)
	t.need(err)
	same(t, "comments", names(list, func(m forge.Comment) int64 { return m.ID }), []int64{second.ID})

	t.refused(c.EditComment(t.ctx, t.repo, first.ID, "x"), forge.ErrNotFound, "editing a deleted comment")
	t.refused(c.DeleteComment(t.ctx, t.repo, first.ID), forge.ErrNotFound, "deleting it again")
	_, err = c.CreateComment(t.ctx, t.repo, 4711, "x")
	t.refused(err, forge.ErrNotFound, "commenting on nothing")
	_, err = c.Comments(t.ctx, t.repo, 4711)
	t.refused(err, forge.ErrNotFound, "comments of nothing")
	_, err = c.CreateComment(t.ctx, t.repo, i.Number, "")
	t.refused(err, forge.ErrInvalid, "a comment without words")
}

func manyComments(t *test) {
	i := t.open(forge.NewIssue{Title: "x"})
	var want []int64
	for n := range 101 {
		m, err := t.Ann.Client.CreateComment(t.ctx, t.repo, i.Number, fmt.Sprint(n))
		t.need(err)
		want = append(want, m.ID)
	}
	list, err := t.Ann.Client.Comments(t.ctx, t.repo, i.Number)
	t.need(err)
	same(t, "comments", names(list, func(m forge.Comment) int64 { return m.ID }), want)
}

func labelsComeAndGo(t *test) {
	c := t.Ann.Client
	bug := forge.Label{Name: "kind/bug", Color: "d73a4a", Description: "Something is wrong"}
	t.need(c.CreateLabel(t.ctx, t.repo, bug))
	offered, err := c.Labels(t.ctx, t.repo)
	t.need(err)
	if !slices.Contains(offered, bug) {
		t.Errorf("labels are %v; want %v among them", offered, bug)
	}
	t.refused(c.CreateLabel(t.ctx, t.repo, bug), forge.ErrExists, "creating it again")
	t.refused(c.CreateLabel(t.ctx, t.repo, forge.Label{Name: "KIND/bug", Color: "d73a4a"}), forge.ErrExists, "creating it in other letters")

	i := t.open(forge.NewIssue{Title: "x"})
	odd := []string{"two words", "needs-ok?", "100%", "a#b", "größe", "kind/bug"}
	t.need(c.AddLabels(t.ctx, t.repo, i.Number, odd...))
	t.need(c.AddLabels(t.ctx, t.repo, i.Number, "kind/bug"))
	got := t.issue(i.Number).Labels
	slices.Sort(got)
	slices.Sort(odd)
	same(t, "labels", got, odd)
	for _, name := range odd {
		t.need(c.RemoveLabel(t.ctx, t.repo, i.Number, name))
		t.need(c.RemoveLabel(t.ctx, t.repo, i.Number, name))
	}
	same(t, "labels", t.issue(i.Number).Labels, nil)
	t.need(c.RemoveLabel(t.ctx, t.repo, i.Number, "never-heard-of"))
	t.refused(c.AddLabels(t.ctx, t.repo, 4711, "x"), forge.ErrNotFound, "labelling nothing")
	t.refused(c.RemoveLabel(t.ctx, t.repo, 4711, "x"), forge.ErrNotFound, "unlabelling nothing")
}

func manyLabels(t *test) {
	before, err := t.Ann.Client.Labels(t.ctx, t.repo)
	t.need(err)
	for n := range 101 {
		t.need(t.Ann.Client.CreateLabel(t.ctx, t.repo, forge.Label{Name: fmt.Sprintf("label-%03d", n), Color: "ededed"}))
	}
	after, err := t.Ann.Client.Labels(t.ctx, t.repo)
	t.need(err)
	seen := map[string]bool{}
	for _, l := range after {
		seen[l.Name] = true
	}
	equal(t, "number of labels", len(after), len(before)+101)
	equal(t, "number of different labels", len(seen), len(after))
}

func milestones(t *test) {
	c := t.Admin.Client
	due := time.Date(2031, 5, 6, 7, 0, 0, 0, time.UTC)
	m, err := c.CreateMilestone(t.ctx, t.repo, forge.Milestone{Title: "v1.0", Description: "The first", DueOn: due})
	t.need(err)
	equal(t, "state", m.State, forge.StateOpen)
	equal(t, "description", m.Description, "The first")
	// GitHub keeps the day and moves the hour.
	if away := m.DueOn.Sub(due).Abs(); away > 24*time.Hour {
		t.Errorf("due on %v; want %v", m.DueOn, due)
	}
	_, err = c.CreateMilestone(t.ctx, t.repo, forge.Milestone{Title: "v1.0"})
	t.refused(err, forge.ErrExists, "creating it again")

	a := t.open(forge.NewIssue{Title: "a", Milestone: "v1.0"})
	t.open(forge.NewIssue{Title: "b", Milestone: "v1.0"})
	t.need(t.Ann.Client.EditIssue(t.ctx, t.repo, a.Number, forge.EditIssue{State: ptr(forge.StateClosed)}))
	t.need(c.EditMilestone(t.ctx, t.repo, forge.Milestone{Number: m.Number, Title: "v1.0.0", State: forge.StateClosed}))
	for state, want := range map[string][]string{"": {}, "open": {}, "closed": {"v1.0.0"}, "all": {"v1.0.0"}} {
		list, err := c.Milestones(t.ctx, t.repo, state)
		t.need(err)
		same(t, fmt.Sprintf("milestones in state %q", state), names(list, func(m forge.Milestone) string { return m.Title }), want)
		for _, m := range list {
			equal(t, "open issues", m.OpenIssues, 1)
			equal(t, "closed issues", m.ClosedIssue, 1)
			equal(t, "description", m.Description, "The first")
		}
	}
	err = c.EditMilestone(t.ctx, t.repo, forge.Milestone{Number: 4711, Title: "x"})
	t.refused(err, forge.ErrNotFound, "editing one that is not there")
}

func milestoneSet(t *test) {
	w := t.seeded(t.Ann)
	w.change("topic", "a", "1\n")
	p := w.pull("topic")
	_, err := t.Admin.Client.CreateMilestone(t.ctx, t.repo, forge.Milestone{Title: "v1.0"})
	t.need(err)
	c := t.Ann.Client
	t.need(c.EditIssue(t.ctx, t.repo, p.Number, forge.EditIssue{Milestone: ptr("v1.0")}))
	equal(t, "milestone", t.pull(p.Number).Milestone, "v1.0")
	t.need(c.EditIssue(t.ctx, t.repo, p.Number, forge.EditIssue{Title: ptr("Other")}))
	equal(t, "milestone after another edit", t.pull(p.Number).Milestone, "v1.0")
	t.need(c.EditIssue(t.ctx, t.repo, p.Number, forge.EditIssue{Milestone: ptr(""), Title: ptr("Third")}))
	got := t.pull(p.Number)
	equal(t, "milestone", got.Milestone, "")
	equal(t, "title", got.Title, "Third")
	err = c.EditIssue(t.ctx, t.repo, p.Number, forge.EditIssue{Milestone: ptr("none")})
	t.refused(err, forge.ErrNotFound, "a milestone that is not there")
}
