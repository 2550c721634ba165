package hosted_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"seaworthy/store/hosted"
)

func TestChecks(t *testing.T) {
	each(t, func(t *testing.T, s *hosted.Store) {
		ctx, q := t.Context(), s.Read()
		r := newRepo(t, s, "harbour", "halyard", false)
		write(t, s, func(ctx context.Context, q *hosted.Queries) error {
			for _, x := range [][3]string{{"1", "unit", "pending"}, {"1", "lint", "success"}, {"1", "unit", "success"}, {"2", "unit", "failure"}} {
				if _, err := q.AddStatus(ctx, hosted.Status{RepoID: r.ID, SHA: x[0], Context: x[1], State: x[2], Description: "d", TargetURL: "u", Creator: "ada", CreatedAt: noon}); err != nil {
					return err
				}
			}
			return nil
		})
		all, total, err := q.Statuses(ctx, r.ID, "1", hosted.Page{Limit: 2})
		if err != nil || total != 3 || len(all) != 2 || all[0].State != "success" || all[0].Context != "unit" || all[0].Description != "d" || !all[0].CreatedAt.Equal(noon) {
			t.Errorf("statuses %v of %d %v", all, total, err)
		}
		now, total, err := q.CurrentStatuses(ctx, r.ID, "1", hosted.Page{})
		if err != nil || total != 2 || now[0].Context != "lint" || now[1].State != "success" {
			t.Errorf("current %v %v", now, err)
		}
		k := hosted.CheckRun{RepoID: r.ID, SHA: "1", Name: "unit", Status: "completed", Conclusion: "success", DetailsURL: "u", ExternalID: "e", Title: "t", Summary: "s", Text: "x",
			Creator: "ada", StartedAt: noon, CompletedAt: noon}
		write(t, s, func(ctx context.Context, q *hosted.Queries) (err error) {
			if _, err = q.AddCheckRun(ctx, hosted.CheckRun{RepoID: r.ID, SHA: "1", Name: "unit", Status: "queued"}); err != nil {
				return err
			}
			k, err = q.AddCheckRun(ctx, k)
			return err
		})
		got, err := q.CheckRun(ctx, r.ID, k.ID)
		check(t, err)
		equal(t, "check run", got, k)
		for _, tt := range []struct {
			name, status string
			n            int
		}{{"", "", 1}, {"unit", "completed", 1}, {"unit", "queued", 0}, {"lint", "", 0}} {
			if list, n, err := q.CheckRuns(ctx, r.ID, "1", tt.name, tt.status, hosted.Page{}); err != nil || len(list) != tt.n || n != tt.n {
				t.Errorf("%v: %v %v", tt, list, err)
			}
		}
		k.Conclusion = "failure"
		write(t, s, func(ctx context.Context, q *hosted.Queries) error { return q.UpdateCheckRun(ctx, k) })
		if got, err = q.CheckRun(ctx, r.ID, k.ID); err != nil || got.Conclusion != "failure" {
			t.Errorf("changed to %v %v", got, err)
		}
	})
}

func TestReleasesAndAssets(t *testing.T) {
	each(t, func(t *testing.T, s *hosted.Store) {
		ctx, q := t.Context(), s.Read()
		r := newRepo(t, s, "harbour", "halyard", false)
		var made []hosted.Release
		for i, x := range []hosted.Release{{Tag: "v1", PublishedAt: noon}, {Tag: "v2", Prerelease: true, PublishedAt: noon.Add(time.Hour)}, {Tag: "v1", Draft: true}, {Tag: "v1", Draft: true}} {
			x.RepoID, x.Target, x.Name, x.Body, x.Author, x.CreatedAt, x.UpdatedAt = r.ID, "main", "n", "b", "ada", noon, noon
			write(t, s, func(ctx context.Context, q *hosted.Queries) (err error) {
				x, err = q.AddRelease(ctx, x)
				return err
			})
			made = append(made, x)
			got, err := q.Release(ctx, r.ID, x.ID)
			check(t, err)
			equal(t, fmt.Sprint("release ", i), got, x)
		}
		want(t, "the tag again", s.Write(ctx, func(q *hosted.Queries) error {
			_, err := q.AddRelease(ctx, hosted.Release{RepoID: r.ID, Tag: "v1"})
			return err
		}), hosted.ErrExists)
		draft := made[2]
		draft.Draft = false
		want(t, "publishing it again", s.Write(ctx, func(q *hosted.Queries) error { return q.UpdateRelease(ctx, draft) }), hosted.ErrExists)
		if got, err := q.ReleaseByTag(ctx, r.ID, "v1"); err != nil || got.ID != made[0].ID {
			t.Errorf("by tag %v %v", got, err)
		}
		if got, err := q.LatestRelease(ctx, r.ID); err != nil || got.ID != made[0].ID {
			t.Errorf("latest %v %v", got, err)
		}
		for drafts, n := range map[bool]int{true: 4, false: 2} {
			if list, total, err := q.Releases(ctx, r.ID, drafts, hosted.Page{}); err != nil || len(list) != n || total != n {
				t.Errorf("with drafts %v: %v %v", drafts, list, err)
			}
		}
		a := hosted.Asset{RepoID: r.ID, ReleaseID: made[0].ID, Name: "f", Label: "l", ContentType: "text/plain", Size: 3 << 30, Digest: "sha256:x", Uploader: "ada", CreatedAt: noon, UpdatedAt: noon}
		write(t, s, func(ctx context.Context, q *hosted.Queries) (err error) {
			if a.ID, err = q.NextID(ctx); err != nil {
				return err
			}
			return errors.Join(q.AddAsset(ctx, a), q.CountDownload(ctx, a.ID))
		})
		a.Downloads = 1
		got, err := q.Asset(ctx, r.ID, a.ID)
		check(t, err)
		equal(t, "asset", got, a)
		second := a
		second.ID++
		want(t, "the name again", s.Write(ctx, func(q *hosted.Queries) error { return q.AddAsset(ctx, second) }), hosted.ErrExists)
		a.Name = "g"
		write(t, s, func(ctx context.Context, q *hosted.Queries) error { return q.UpdateAsset(ctx, a) })
		if got, err = q.AssetByName(ctx, made[0].ID, "g"); err != nil || got.ID != a.ID {
			t.Errorf("by name %v %v", got, err)
		}
		write(t, s, func(ctx context.Context, q *hosted.Queries) error { return q.RemoveRelease(ctx, made[0].ID) })
		if list, _, err := q.Assets(ctx, made[0].ID, hosted.Page{}); err != nil || len(list) != 0 {
			t.Errorf("assets left: %v %v", list, err)
		}
		_, err = q.LatestRelease(ctx, r.ID)
		want(t, "latest of a pre-release", err, hosted.ErrNotFound)
		want(t, "removing it again", s.Write(ctx, func(q *hosted.Queries) error { return q.RemoveAsset(ctx, a.ID) }), hosted.ErrNotFound)
	})
}

func TestHooksAndDeliveries(t *testing.T) {
	each(t, func(t *testing.T, s *hosted.Store) {
		ctx, q := t.Context(), s.Read()
		r := newRepo(t, s, "harbour", "halyard", false)
		h := hosted.Hook{RepoID: r.ID, URL: "http://127.0.0.1/", ContentType: "json", Secret: "sealed", Events: []string{"push", "*"}, Active: true, CreatedAt: noon, UpdatedAt: noon}
		var ids []int64
		var d hosted.Delivery
		write(t, s, func(ctx context.Context, q *hosted.Queries) (err error) {
			ids = nil
			if h, err = q.AddHook(ctx, h); err != nil {
				return err
			}
			for i := range 3 {
				d, err = q.AddDelivery(ctx, hosted.Delivery{HookID: h.ID, RepoID: r.ID, GUID: "g", Event: "push", Action: "a", Redelivery: true, Pending: true, Attempts: 2,
					DueAt: noon.Add(time.Duration(2-i) * time.Hour), Status: "s", URL: h.URL, RequestHeaders: map[string]string{"A": "b"}, Payload: "{}", ResponseBody: "r"})
				if err != nil {
					return err
				}
				ids = append(ids, d.ID)
			}
			return nil
		})
		got, err := q.Delivery(ctx, h.ID, d.ID)
		check(t, err)
		equal(t, "delivery", got, d)
		due := func(at time.Time, want ...int64) {
			t.Helper()
			list, err := q.DueDeliveries(ctx, at, 10)
			check(t, err)
			var got []int64
			for _, d := range list {
				got = append(got, d.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("due at %v: %v, want %v", at, got, want)
			}
		}
		due(noon.Add(-time.Second))
		due(noon, ids[2])
		due(noon.Add(time.Hour), ids[1], ids[2])
		if next, err := q.NextDue(ctx); err != nil || !next.Equal(noon) {
			t.Errorf("next due %v %v", next, err)
		}
		d.Pending, d.StatusCode, d.DeliveredAt, d.Duration, d.ResponseHeaders = false, 200, noon, 1234, map[string]string{"C": "d"}
		write(t, s, func(ctx context.Context, q *hosted.Queries) error { return q.UpdateDelivery(ctx, d) })
		got, err = q.Delivery(ctx, h.ID, d.ID)
		check(t, err)
		equal(t, "delivered", got, d)
		due(noon.Add(2*time.Hour), ids[0], ids[1])
		for before, n := range map[int64]int{0: 3, ids[2]: 2, ids[0]: 0} {
			if list, err := q.Deliveries(ctx, h.ID, before, 10); err != nil || len(list) != n {
				t.Errorf("before %d: %v %v", before, list, err)
			}
		}
		write(t, s, func(ctx context.Context, q *hosted.Queries) error {
			return q.ForgetDeliveries(ctx, noon.Add(time.Second))
		})
		if list, err := q.Deliveries(ctx, h.ID, 0, 10); err != nil || len(list) != 2 {
			t.Errorf("remembered %v %v", list, err)
		}
		h.LastCode, h.LastStatus, h.Active = 500, "Bad", false
		write(t, s, func(ctx context.Context, q *hosted.Queries) error {
			return errors.Join(q.UpdateHook(ctx, h), q.NoteResponse(ctx, h))
		})
		gotH, err := q.Hook(ctx, r.ID, h.ID)
		check(t, err)
		equal(t, "hook", gotH, h)
		write(t, s, func(ctx context.Context, q *hosted.Queries) error { return q.RemoveHook(ctx, h.ID) })
		_, err = q.NextDue(ctx)
		want(t, "deliveries of a removed hook", err, hosted.ErrNotFound)
		want(t, "one of them", s.Write(ctx, func(q *hosted.Queries) error { return q.UpdateDelivery(ctx, d) }), hosted.ErrNotFound)
		if list, total, err := q.Hooks(ctx, r.ID, hosted.Page{}); err != nil || len(list) != 0 || total != 0 {
			t.Errorf("hooks %v %v", list, err)
		}
	})
}
