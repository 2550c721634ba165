package forgetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"seaworthy/forge"
)

var statusTests = map[string]func(*test){
	"a status is the newest of its context": newestStatus,
	"statuses are listed to the last":       manyStatuses,
	"statuses that cannot be":               statusesCannotBe,
	"check runs are made and finished":      checkRuns,
}

func newestStatus(t *test) {
	w := t.seeded(t.Ann)
	sha := w.git("rev-parse", "HEAD")
	set := func(context string, state forge.StatusState) {
		t.need(t.Ann.Client.SetStatus(t.ctx, t.repo, sha, forge.Status{
			Context: context, State: state, Description: "It is " + string(state), TargetURL: "https://ci.example.com/" + context,
		}))
	}
	list, err := t.Ann.Client.Statuses(t.ctx, t.repo, sha)
	t.need(err)
	equal(t, "statuses of a new commit", len(list), 0)
	set("unit", forge.StatusPending)
	set("lint", forge.StatusError)
	set("unit", forge.StatusFailure)
	set("unit", forge.StatusSuccess)
	list, err = t.Ben.Client.Statuses(t.ctx, t.repo, sha)
	t.need(err)
	same(t, "statuses", names(list, func(s forge.Status) string {
		return strings.Join([]string{s.Context, string(s.State), s.Description, s.TargetURL, s.Creator}, "|")
	}), []string{
		"unit|success|It is success|https://ci.example.com/unit|" + t.Ann.Login,
		"lint|error|It is error|https://ci.example.com/lint|" + t.Ann.Login,
	})
	for _, s := range list {
		t.recent("creation", s.CreatedAt)
	}
	suffixed := "Job succeeded. BaseSHA:" + sha
	t.need(t.Ann.Client.SetStatus(t.ctx, t.repo, sha, forge.Status{Context: "unit", State: forge.StatusSuccess, Description: suffixed}))
	list, err = t.Ben.Client.Statuses(t.ctx, t.repo, sha)
	t.need(err)
	equal(t, "description", list[0].Description, suffixed)
}

func manyStatuses(t *test) {
	w := t.seeded(t.Ann)
	sha := w.git("rev-parse", "HEAD")
	var want []string
	for n := range 101 {
		context := fmt.Sprintf("job-%03d", n)
		want = append(want, context)
		t.need(t.Ann.Client.SetStatus(t.ctx, t.repo, sha, forge.Status{Context: context, State: forge.StatusPending}))
	}
	t.need(t.Ann.Client.SetStatus(t.ctx, t.repo, sha, forge.Status{Context: "job-000", State: forge.StatusSuccess}))
	list, err := t.Ann.Client.Statuses(t.ctx, t.repo, sha)
	t.need(err)
	equal(t, "state of the first context", list[0].State, forge.StatusSuccess)
	got := names(list, func(s forge.Status) string { return s.Context })
	slices.Sort(got)
	same(t, "contexts", got, want)
}

func statusesCannotBe(t *test) {
	w := t.seeded(t.Ann)
	sha := w.git("rev-parse", "HEAD")
	c := t.Ann.Client
	t.refused(c.SetStatus(t.ctx, t.repo, sha, forge.Status{Context: "unit", State: "splendid"}), forge.ErrInvalid, "a state that is none")
	long := forge.Status{Context: "unit", State: forge.StatusSuccess, Description: strings.Repeat("x", 141)}
	t.refused(c.SetStatus(t.ctx, t.repo, sha, long), forge.ErrInvalid, "a description of 141 characters")
	long.Description = strings.Repeat("ü", 140)
	t.need(c.SetStatus(t.ctx, t.repo, sha, long))
	if err := c.SetStatus(t.ctx, t.repo, nowhere, forge.Status{Context: "unit", State: forge.StatusSuccess}); err == nil {
		t.Error("a commit that is not there took a status")
	}
}

func checkRuns(t *test) {
	w := t.seeded(t.Ann)
	sha := w.git("rev-parse", "HEAD")
	c := t.Admin.Client
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r, err := c.CreateCheckRun(t.ctx, t.repo, forge.CheckRun{Name: "unit", SHA: sha, Status: "in_progress", DetailsURL: "https://ci.example.com/1", StartedAt: began})
	t.need(err)
	equal(t, "status", r.Status, "in_progress")
	equal(t, "commit", r.SHA, sha)
	r.Status, r.Conclusion, r.Title, r.Summary, r.CompletedAt = "completed", "success", "All passed", "42 tests", began.Add(time.Minute)
	r, err = c.UpdateCheckRun(t.ctx, t.repo, r)
	t.need(err)
	list, err := c.CheckRuns(t.ctx, t.repo, sha)
	t.need(err)
	same(t, "check runs", list, []forge.CheckRun{r})
	want := forge.CheckRun{
		ID: r.ID, Name: "unit", SHA: sha, Status: "completed", Conclusion: "success", DetailsURL: "https://ci.example.com/1",
		Title: "All passed", Summary: "42 tests", StartedAt: began, CompletedAt: began.Add(time.Minute),
	}
	equal(t, "check run", r, want)
	again, err := c.CreateCheckRun(t.ctx, t.repo, forge.CheckRun{Name: "unit", SHA: sha, Status: "queued"})
	t.need(err)
	list, err = c.CheckRuns(t.ctx, t.repo, sha)
	t.need(err)
	same(t, "the newest of each name", names(list, func(r forge.CheckRun) int64 { return r.ID }), []int64{again.ID})
	_, err = c.UpdateCheckRun(t.ctx, t.repo, forge.CheckRun{ID: 4711, Name: "unit", Status: "queued"})
	t.refused(err, forge.ErrNotFound, "one that is not there")
}
