package hosted_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"seaworthy/store"
	"seaworthy/store/hosted"
	"seaworthy/store/storetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123000, time.UTC)

// each runs a test on a store in each kind of database.
func each(t *testing.T, fn func(t *testing.T, s *hosted.Store)) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, hosted.New(db)) })
}

// write runs a change that must succeed.
func write(t *testing.T, s *hosted.Store, fn func(context.Context, *hosted.Queries) error) {
	t.Helper()
	check(t, s.Write(t.Context(), func(q *hosted.Queries) error { return fn(t.Context(), q) }))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want checks that an error is of a kind.
func want(t *testing.T, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: %v, want %v", what, err, kind)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(hosted.Repo{}), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// newRepo adds the repository OWNER/NAME.
func newRepo(t *testing.T, s *hosted.Store, owner, name string, private bool) hosted.Repo {
	t.Helper()
	r := hosted.Repo{Owner: owner, Name: name, Description: "A rope", Homepage: "https://example.test", DefaultBranch: "main", Creator: "ada", Private: private,
		CreatedAt: noon, UpdatedAt: noon, PushedAt: noon}
	write(t, s, func(ctx context.Context, q *hosted.Queries) (err error) {
		r, err = q.AddRepo(ctx, r)
		return err
	})
	return r
}

func TestAccountsAndTokens(t *testing.T) {
	each(t, func(t *testing.T, s *hosted.Store) {
		ctx := t.Context()
		ada := hosted.Account{Login: "Ada", Name: "Ada L.", Email: "ada@example.test", Kind: "User", Admin: true, CreatedAt: noon}
		write(t, s, func(ctx context.Context, q *hosted.Queries) (err error) {
			if ada, err = q.AddAccount(ctx, ada); err != nil {
				return err
			}
			return q.AddToken(ctx, "hash", ada.ID, noon)
		})
		q := s.Read()
		for _, login := range []string{"Ada", "ada", "ADA"} {
			got, err := q.Account(ctx, login)
			check(t, err)
			equal(t, login, got, ada)
		}
		got, err := q.AccountByToken(ctx, "hash")
		check(t, err)
		equal(t, "by token", got, ada)
		got, err = q.AccountByEmail(ctx, "ADA@example.test")
		check(t, err)
		equal(t, "by address", got, ada)
		for what, find := range map[string]func() error{
			"login": func() error { _, err := q.Account(ctx, "bob"); return err },
			"token": func() error { _, err := q.AccountByToken(ctx, "has"); return err },
			"quote": func() error { _, err := q.AccountByToken(ctx, "' OR '1'='1"); return err },
			"email": func() error { _, err := q.AccountByEmail(ctx, ""); return err },
		} {
			want(t, what, find(), hosted.ErrNotFound)
		}
		want(t, "a second ada", s.Write(ctx, func(q *hosted.Queries) error { _, err := q.AddAccount(ctx, hosted.Account{Login: "ADA"}); return err }), hosted.ErrExists)
		ada.Name = "Ada Lovelace"
		write(t, s, func(ctx context.Context, q *hosted.Queries) error { return q.UpdateAccount(ctx, ada) })
		got, err = q.Account(ctx, "ada")
		check(t, err)
		equal(t, "changed", got, ada)
		want(t, "changing nobody", s.Write(ctx, func(q *hosted.Queries) error { return q.UpdateAccount(ctx, hosted.Account{ID: 1, Login: "x"}) }), hosted.ErrNotFound)
	})
}

func TestAFailedChangeChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, s *hosted.Store) {
		boom := errors.New("boom")
		err := s.Write(t.Context(), func(q *hosted.Queries) error {
			if _, err := q.AddAccount(t.Context(), hosted.Account{Login: "ada"}); err != nil {
				return err
			}
			return boom
		})
		want(t, "the change", err, boom)
		_, err = s.Read().Account(t.Context(), "ada")
		want(t, "its account", err, hosted.ErrNotFound)
	})
}

// Text that one of the databases would refuse is kept as far as it can be.
func TestOddText(t *testing.T) {
	each(t, func(t *testing.T, s *hosted.Store) {
		r := newRepo(t, s, "harbour", "halyard", false)
		var c hosted.Comment
		write(t, s, func(ctx context.Context, q *hosted.Queries) (err error) {
			c, err = q.AddComment(ctx, hosted.Comment{RepoID: r.ID, Number: 1, Author: "a'b\"; --", Body: "nul \x00 broken \xff é 🚢", CreatedAt: noon, UpdatedAt: noon})
			return err
		})
		got, err := s.Read().Comment(t.Context(), r.ID, c.ID)
		check(t, err)
		if got.Body != "nul \uFFFD broken \uFFFD é 🚢" || got.Author != "a'b\"; --" {
			t.Errorf("kept %q by %q", got.Body, got.Author)
		}
	})
}

func TestRepos(t *testing.T) {
	each(t, func(t *testing.T, s *hosted.Store) {
		ctx, q := t.Context(), s.Read()
		open := newRepo(t, s, "harbour", "halyard", false)
		shut := newRepo(t, s, "harbour", "hidden", true)
		own := newRepo(t, s, "ben", "own", true)
		got, err := q.Repo(ctx, "HARBOUR", "Halyard")
		check(t, err)
		equal(t, "by name", got, open)
		got, err = q.RepoByID(ctx, shut.ID)
		check(t, err)
		equal(t, "by id", got, shut)
		want(t, "the name again", s.Write(ctx, func(q *hosted.Queries) error {
			_, err := q.AddRepo(ctx, hosted.Repo{Owner: "Harbour", Name: "HALYARD"})
			return err
		}), hosted.ErrExists)
		write(t, s, func(ctx context.Context, q *hosted.Queries) error {
			return q.SetCollaborator(ctx, hosted.Collaborator{RepoID: shut.ID, Login: "cho", Permission: "pull"})
		})
		for _, tt := range []struct {
			owner  string
			viewer hosted.Account
			want   string
		}{
			{"", hosted.Account{}, "harbour/halyard"}, {"", hosted.Account{Login: "Ben"}, "ben/own harbour/halyard"}, {"", hosted.Account{Login: "Cho"}, "harbour/halyard harbour/hidden"},
			{"", hosted.Account{Login: "ada", Admin: true}, "ben/own harbour/halyard harbour/hidden"}, {"Harbour", hosted.Account{Login: "ben"}, "harbour/halyard"}, {"nobody", hosted.Account{Admin: true}, ""},
		} {
			list, total, err := q.Repos(ctx, tt.owner, tt.viewer, hosted.Page{})
			check(t, err)
			var names []string
			for _, r := range list {
				names = append(names, r.FullName())
			}
			if got := strings.Join(names, " "); got != tt.want || total != len(list) {
				t.Errorf("%q sees %q of %q (%d), want %q", tt.viewer.Login, got, tt.owner, total, tt.want)
			}
		}
		page, total, err := q.Repos(ctx, "", hosted.Account{Admin: true}, hosted.Page{Limit: 1, Offset: 1})
		check(t, err)
		if len(page) != 1 || page[0].ID != open.ID || total != 3 {
			t.Errorf("the second page is %v of %d", page, total)
		}
		open.Name, open.Archived, open.UpdatedAt = "rope", true, noon.Add(time.Hour)
		write(t, s, func(ctx context.Context, q *hosted.Queries) error { return q.UpdateRepo(ctx, open) })
		got, err = q.Repo(ctx, "harbour", "rope")
		check(t, err)
		equal(t, "renamed", got, open)
		open.Name = "HIDDEN"
		want(t, "a name that is taken", s.Write(ctx, func(q *hosted.Queries) error { return q.UpdateRepo(ctx, open) }), hosted.ErrExists)
		write(t, s, func(ctx context.Context, q *hosted.Queries) error {
			return q.Pushed(ctx, own.ID, noon.Add(time.Minute))
		})
		if got, err = q.RepoByID(ctx, own.ID); err != nil || !got.PushedAt.Equal(noon.Add(time.Minute)) {
			t.Errorf("pushed at %v %v", got.PushedAt, err)
		}
		if all, err := q.AllRepos(ctx); err != nil || len(all) != 3 {
			t.Errorf("all are %v %v", all, err)
		}
	})
}

func TestWhatBelongsToARepo(t *testing.T) {
	each(t, func(t *testing.T, s *hosted.Store) {
		ctx, q := t.Context(), s.Read()
		r := newRepo(t, s, "harbour", "halyard", false)
		other := newRepo(t, s, "harbour", "other", false)
		write(t, s, func(ctx context.Context, q *hosted.Queries) error {
			return errors.Join(
				q.SetCollaborator(ctx, hosted.Collaborator{RepoID: r.ID, Login: "ben", Permission: "pull"}), q.SetCollaborator(ctx, hosted.Collaborator{RepoID: r.ID, Login: "Ben", Permission: "push"}),
				q.SetRef(ctx, r.ID, "refs/heads/main", "a"), q.SetRef(ctx, r.ID, "refs/heads/main", "b"), q.SetRef(ctx, r.ID, "refs/tags/v1", "c"), q.SetRef(ctx, r.ID, "refs/tags/v1", ""),
				q.SetRef(ctx, other.ID, "refs/heads/main", "z"))
		})
		people, err := q.Collaborators(ctx, r.ID)
		check(t, err)
		equal(t, "collaborators", people, []hosted.Collaborator{{RepoID: r.ID, Login: "Ben", Permission: "push"}})
		at, err := q.Refs(ctx, r.ID)
		check(t, err)
		equal(t, "refs", at, map[string]string{"refs/heads/main": "b"})
		p := hosted.Protection{RepoID: r.ID, Branch: "main", RequireChecks: true, Strict: true, Contexts: []string{"unit", `with "quotes"`}, Restricted: true,
			PushLogins: []string{"cho"}, EnforceAdmins: true, Reviews: 2, BypassLogins: []string{"dee"}, AllowForce: true, AllowDeletion: true, LinearHistory: true}
		write(t, s, func(ctx context.Context, q *hosted.Queries) error {
			return errors.Join(q.SetProtection(ctx, hosted.Protection{RepoID: r.ID, Branch: "main", Reviews: -1}), q.SetProtection(ctx, p))
		})
		got, err := q.Protection(ctx, r.ID, "main")
		check(t, err)
		equal(t, "protection", got, p)
		if list, err := q.Protections(ctx, r.ID); err != nil || len(list) != 1 {
			t.Errorf("protections %v %v", list, err)
		}
		write(t, s, func(ctx context.Context, q *hosted.Queries) error { return q.RemoveProtection(ctx, r.ID, "main") })
		want(t, "removing it again", s.Write(ctx, func(q *hosted.Queries) error { return q.RemoveProtection(ctx, r.ID, "main") }), hosted.ErrNotFound)
		write(t, s, func(ctx context.Context, q *hosted.Queries) error { return q.RemoveCollaborator(ctx, r.ID, "BEN") })
		_, err = q.Collaborator(ctx, r.ID, "ben")
		want(t, "a former collaborator", err, hosted.ErrNotFound)
		write(t, s, func(ctx context.Context, q *hosted.Queries) error { return q.RemoveRepo(ctx, r.ID) })
		if at, err = q.Refs(ctx, other.ID); err != nil || len(at) != 1 {
			t.Errorf("another repository's refs are %v %v", at, err)
		}
		if at, err = q.Refs(ctx, r.ID); err != nil || len(at) != 0 {
			t.Errorf("refs of a removed repository: %v %v", at, err)
		}
	})
}

func TestIssuesRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, s *hosted.Store) {
		ctx, q := t.Context(), s.Read()
		r := newRepo(t, s, "harbour", "halyard", false)
		full := hosted.Issue{RepoID: r.ID, IsPull: true, Title: "T", Body: "B", Author: "ada", State: "closed", StateReason: "completed", Locked: true, Milestone: 3, ClosedBy: "ben",
			CreatedAt: noon, UpdatedAt: noon, ClosedAt: noon, Draft: true, Base: "main", BaseSHA: "1", Head: "feature", HeadRepoID: r.ID, HeadSHA: "2", Merged: true, MergeSHA: "3",
			MergedBy: "cho", MergedAt: noon, TestBase: "4", TestHead: "5", TestSHA: "6"}
		write(t, s, func(ctx context.Context, q *hosted.Queries) (err error) {
			for range 2 {
				if full, err = q.AddIssue(ctx, full); err != nil {
					return err
				}
			}
			return nil
		})
		if full.Number != 2 {
			t.Errorf("the second issue has the number %d", full.Number)
		}
		got, err := q.Issue(ctx, r.ID, 2)
		check(t, err)
		equal(t, "issue", got, full)
		full.Title, full.MergedAt = "Other", time.Time{}
		write(t, s, func(ctx context.Context, q *hosted.Queries) error { return q.UpdateIssue(ctx, full) })
		tested := full
		tested.TestBase, tested.TestHead, tested.TestSHA, tested.Title = "7", "8", "", "not this"
		write(t, s, func(ctx context.Context, q *hosted.Queries) error { return q.SetTestMerge(ctx, tested) })
		got, err = q.Issue(ctx, r.ID, 2)
		check(t, err)
		full.TestBase, full.TestHead, full.TestSHA = "7", "8", ""
		equal(t, "changed", got, full)
		write(t, s, func(ctx context.Context, q *hosted.Queries) error {
			return errors.Join(q.AddPerson(ctx, full.ID, hosted.Assignee, "ben"), q.AddPerson(ctx, full.ID, hosted.Assignee, "ben"), q.AddPerson(ctx, full.ID, hosted.Reviewer, "cho"),
				q.RemovePerson(ctx, full.ID, hosted.Reviewer, "CHO"), q.SetPullCommits(ctx, full, []string{"x"}), q.SetPullCommits(ctx, full, []string{"a", "b", "a"}))
		})
		people, err := q.People(ctx, full.ID, hosted.Assignee)
		check(t, err)
		equal(t, "assignees", people, []string{"ben"})
		if people, err = q.People(ctx, full.ID, hosted.Reviewer); err != nil || len(people) != 0 {
			t.Errorf("reviewers %v %v", people, err)
		}
		for sha, n := range map[string]int{"a": 1, "b": 1, "x": 0} {
			if list, total, err := q.Issues(ctx, hosted.IssueFilter{RepoID: r.ID, Commit: sha}); err != nil || len(list) != n || total != n {
				t.Errorf("pull requests of %s: %v %v", sha, list, err)
			}
		}
		open, closed, err := q.CountIssues(ctx, r.ID, 0)
		if err != nil || open != 0 || closed != 2 {
			t.Errorf("counted %d and %d: %v", open, closed, err)
		}
		if open, closed, err = q.CountIssues(ctx, r.ID, 9); err != nil || open != 0 || closed != 0 {
			t.Errorf("counted %d and %d in no milestone: %v", open, closed, err)
		}
	})
}

func TestIssueFilters(t *testing.T) {
	each(t, func(t *testing.T, s *hosted.Store) {
		ctx, q := t.Context(), s.Read()
		r, hidden := newRepo(t, s, "harbour", "halyard", false), newRepo(t, s, "harbour", "hidden", true)
		write(t, s, func(ctx context.Context, q *hosted.Queries) error {
			bug, err := q.AddLabel(ctx, hosted.Label{RepoID: r.ID, Name: "kind/bug"})
			if err != nil {
				return err
			}
			m, err := q.AddMilestone(ctx, hosted.Milestone{RepoID: r.ID, Title: "v1", State: "open"})
			if err != nil {
				return err
			}
			for i, x := range []hosted.Issue{
				{RepoID: r.ID, Title: "Leak 100%", Author: "ada", State: "open", Milestone: m.Number},
				{RepoID: r.ID, Title: "Paint", Body: "A LEAK of paint", Author: "ben", State: "closed"},
				{RepoID: r.ID, Title: "Fix", Author: "ben", State: "open", IsPull: true, Draft: true, Base: "main", Head: "fix", HeadRepoID: r.ID, HeadSHA: "f"},
				{RepoID: hidden.ID, Title: "Secret leak", Author: "ada", State: "open"},
			} {
				x.CreatedAt = noon.Add(time.Duration(i) * time.Minute)
				x.UpdatedAt = noon.Add(-time.Duration(i) * time.Minute)
				added, err := q.AddIssue(ctx, x)
				if err != nil {
					return err
				}
				if i == 0 {
					if err := errors.Join(q.PutLabel(ctx, added.ID, bug.ID), q.PutLabel(ctx, added.ID, bug.ID), q.AddPerson(ctx, added.ID, hosted.Assignee, "cho")); err != nil {
						return err
					}
				}
			}
			_, err = q.AddComment(ctx, hosted.Comment{RepoID: r.ID, Number: 2})
			return err
		})
		yes, no := true, false
		for i, tt := range []struct {
			f    hosted.IssueFilter
			want string
		}{
			{hosted.IssueFilter{}, "3 2 1"}, {hosted.IssueFilter{Ascending: true}, "1 2 3"}, {hosted.IssueFilter{Sort: "updated"}, "1 2 3"}, {hosted.IssueFilter{Sort: "comments"}, "2 3 1"},
			{hosted.IssueFilter{Pull: &yes}, "3"}, {hosted.IssueFilter{Pull: &no}, "2 1"}, {hosted.IssueFilter{State: "open"}, "3 1"}, {hosted.IssueFilter{Labels: []string{"KIND/BUG"}}, "1"},
			{hosted.IssueFilter{Labels: []string{"kind/bug", "x"}}, ""}, {hosted.IssueFilter{Milestone: "1"}, "1"}, {hosted.IssueFilter{Milestone: "none"}, "3 2"}, {hosted.IssueFilter{Milestone: "*"}, "1"},
			{hosted.IssueFilter{Milestone: "v1"}, ""}, {hosted.IssueFilter{MileTitle: "v1"}, "1"}, {hosted.IssueFilter{Author: "BEN"}, "3 2"}, {hosted.IssueFilter{Assignee: "Cho"}, "1"},
			{hosted.IssueFilter{Assignee: "none"}, "3 2"}, {hosted.IssueFilter{Assignee: "*"}, "1"}, {hosted.IssueFilter{Base: "main", Head: "fix", HeadRepoID: r.ID, HeadSHA: "f"}, "3"},
			{hosted.IssueFilter{Merged: &no, Draft: &yes}, "3"}, {hosted.IssueFilter{Text: "leak"}, "2 1"}, {hosted.IssueFilter{Text: "100%"}, "1"}, {hosted.IssueFilter{Text: `a\`}, ""}, {hosted.IssueFilter{Text: "_eak"}, ""},
			{hosted.IssueFilter{Since: noon.Add(-30 * time.Second)}, "1"}, {hosted.IssueFilter{Page: hosted.Page{Limit: 1, Offset: 1}}, "2"},
		} {
			tt.f.RepoID = r.ID
			list, total, err := q.Issues(ctx, tt.f)
			check(t, err)
			if got := numbers(list); got != tt.want || tt.f.Limit == 0 && total != len(list) {
				t.Errorf("filter %d gives %q (%d), want %q", i, got, total, tt.want)
			}
		}
		for viewer, n := range map[hosted.Account]int{{}: 3, {Login: "ben"}: 3, {Login: "harbour"}: 4, {Login: "x", Admin: true}: 4} {
			if _, total, err := q.Issues(ctx, hosted.IssueFilter{Viewer: viewer}); err != nil || total != n {
				t.Errorf("%v sees %d issues: %v", viewer, total, err)
			}
		}
		for branch, n := range map[string]int{"main": 1, "fix": 1, "other": 0} {
			if list, err := q.OpenPulls(ctx, r.ID, branch); err != nil || len(list) != n {
				t.Errorf("open at %s: %v %v", branch, list, err)
			}
		}
	})
}

func numbers(list []hosted.Issue) string {
	var n []string
	for _, i := range list {
		n = append(n, fmt.Sprint(i.Number))
	}
	return strings.Join(n, " ")
}

func TestTalk(t *testing.T) {
	each(t, func(t *testing.T, s *hosted.Store) {
		ctx, q := t.Context(), s.Read()
		r := newRepo(t, s, "harbour", "halyard", false)
		c := hosted.Comment{RepoID: r.ID, Number: 1, Author: "ada", Body: "b", CreatedAt: noon, UpdatedAt: noon}
		v := hosted.Review{RepoID: r.ID, Number: 1, Author: "ada", Body: "b", State: "PENDING", SHA: "1"}
		m := hosted.ReviewComment{RepoID: r.ID, Number: 1, ReviewID: 7, ReplyTo: 8, Author: "ada", Body: "b", Path: "p", SHA: "1", Line: 3, Side: "LEFT", CreatedAt: noon, UpdatedAt: noon}
		write(t, s, func(ctx context.Context, q *hosted.Queries) (err error) {
			if c, err = q.AddComment(ctx, c); err != nil {
				return err
			}
			if v, err = q.AddReview(ctx, v); err != nil {
				return err
			}
			m, err = q.AddReviewComment(ctx, m)
			return err
		})
		comments, total, err := q.Comments(ctx, r.ID, 1, time.Time{}, hosted.Page{Limit: 5})
		check(t, err)
		equal(t, "comments", comments, []hosted.Comment{c})
		if _, later, err := q.Comments(ctx, r.ID, 0, noon.Add(time.Second), hosted.Page{}); err != nil || total != 1 || later != 0 {
			t.Errorf("counted %d and %d later: %v", total, later, err)
		}
		for viewer, n := range map[string]int{"ADA": 1, "ben": 0, "": 0} {
			if list, _, err := q.Reviews(ctx, r.ID, 1, viewer, hosted.Page{}); err != nil || len(list) != n {
				t.Errorf("%q sees %v %v", viewer, list, err)
			}
		}
		v.State, v.SubmittedAt = "APPROVED", noon
		c.Body = "changed"
		write(t, s, func(ctx context.Context, q *hosted.Queries) error {
			return errors.Join(q.UpdateReview(ctx, v), q.UpdateComment(ctx, c))
		})
		gotReview, err := q.Review(ctx, r.ID, 1, v.ID)
		check(t, err)
		equal(t, "review", gotReview, v)
		for id, n := range map[int64]int{0: 1, 7: 1, 8: 0} {
			if list, _, err := q.ReviewComments(ctx, r.ID, 1, id, hosted.Page{}); err != nil || len(list) != n {
				t.Errorf("of review %d: %v %v", id, list, err)
			}
		}
		gotLine, err := q.ReviewComment(ctx, r.ID, m.ID)
		check(t, err)
		equal(t, "review comment", gotLine, m)
		write(t, s, func(ctx context.Context, q *hosted.Queries) error {
			return errors.Join(q.RemoveReview(ctx, v.ID), q.RemoveComment(ctx, c.ID))
		})
		_, err = q.Comment(ctx, r.ID, c.ID)
		want(t, "a removed comment", err, hosted.ErrNotFound)
		_, err = q.Review(ctx, r.ID, 1, v.ID)
		want(t, "a removed review", err, hosted.ErrNotFound)
	})
}

func TestLabelsAndMilestones(t *testing.T) {
	each(t, func(t *testing.T, s *hosted.Store) {
		ctx, q := t.Context(), s.Read()
		r := newRepo(t, s, "harbour", "halyard", false)
		l := hosted.Label{RepoID: r.ID, Name: "LGTM", Color: "00ff00", Description: "d"}
		m := hosted.Milestone{RepoID: r.ID, Title: "v1", Description: "d", State: "open", Creator: "ada", DueOn: noon, CreatedAt: noon, UpdatedAt: noon}
		i := hosted.Issue{RepoID: r.ID, Title: "x", State: "open"}
		write(t, s, func(ctx context.Context, q *hosted.Queries) (err error) {
			if l, err = q.AddLabel(ctx, l); err != nil {
				return err
			}
			if m, err = q.AddMilestone(ctx, m); err != nil {
				return err
			}
			i.Milestone = m.Number
			if i, err = q.AddIssue(ctx, i); err != nil {
				return err
			}
			return q.PutLabel(ctx, i.ID, l.ID)
		})
		got, err := q.Label(ctx, r.ID, "lgtm")
		check(t, err)
		equal(t, "label", got, l)
		on, err := q.IssueLabels(ctx, i.ID)
		check(t, err)
		equal(t, "on the issue", on, []hosted.Label{l})
		want(t, "the label again", s.Write(ctx, func(q *hosted.Queries) error {
			_, err := q.AddLabel(ctx, hosted.Label{RepoID: r.ID, Name: "Lgtm"})
			return err
		}), hosted.ErrExists)
		want(t, "the milestone again", s.Write(ctx, func(q *hosted.Queries) error { _, err := q.AddMilestone(ctx, m); return err }), hosted.ErrExists)
		l.Name, m.State, m.ClosedAt = "approved", "closed", noon
		write(t, s, func(ctx context.Context, q *hosted.Queries) error {
			return errors.Join(q.UpdateLabel(ctx, l), q.UpdateMilestone(ctx, m))
		})
		gotM, err := q.Milestone(ctx, r.ID, 1)
		check(t, err)
		equal(t, "milestone", gotM, m)
		for state, n := range map[string]int{"open": 0, "closed": 1, "all": 1} {
			if list, _, err := q.Milestones(ctx, r.ID, state, hosted.Page{}); err != nil || len(list) != n {
				t.Errorf("%s: %v %v", state, list, err)
			}
		}
		if open, _, err := q.CountIssues(ctx, r.ID, 1); err != nil || open != 1 {
			t.Errorf("counted %d %v", open, err)
		}
		write(t, s, func(ctx context.Context, q *hosted.Queries) error {
			return errors.Join(q.TakeLabel(ctx, i.ID, l.ID), q.TakeLabel(ctx, i.ID, l.ID), q.PutLabel(ctx, i.ID, l.ID), q.RemoveLabel(ctx, l.ID), q.RemoveMilestone(ctx, m))
		})
		if on, err = q.IssueLabels(ctx, i.ID); err != nil || len(on) != 0 {
			t.Errorf("left on the issue: %v %v", on, err)
		}
		if i, err = q.Issue(ctx, r.ID, 1); err != nil || i.Milestone != 0 {
			t.Errorf("left in milestone %d: %v", i.Milestone, err)
		}
		if list, total, err := q.Labels(ctx, r.ID, hosted.Page{Limit: 1}); err != nil || len(list) != 0 || total != 0 {
			t.Errorf("labels %v %v", list, err)
		}
	})
}
