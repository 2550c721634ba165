package run

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"gocloud.dev/blob/fileblob"

	"seaworthy/git"
	"seaworthy/job"
	"seaworthy/job/result"
	"seaworthy/store/storetest"
)

// What somebody submits runs like a job, says nothing to the forge, and what it
// leaves can be read.
func TestSubmit(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	origin, err := git.Init(ctx, filepath.Join(dir, "halyard.git"), true, "main")
	if err != nil {
		t.Fatal(err)
	}
	tip := write(t, origin, "", "refs/heads/main", map[string]string{"rope.txt": "hemp\n"})
	bucket, err := fileblob.OpenBucket(filepath.Join(dir, "bucket"), &fileblob.Options{CreateDir: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bucket.Close() })
	p := newPier(t)
	p.forge.branches["main"] = tip
	p.bucket = bucket
	p.Service = p.service(func(o *Options) {
		o.Executor, o.Bucket, o.Store, o.Now = realExecutor(t, origin.Dir), bucket, storetest.SQLite(t), time.Now
	})
	spec := job.Spec{Command: []string{"sh", "-ec", `mkdir "$ARTIFACTS/deep"; cp rope.txt "$ARTIFACTS/deep/rope"`}}
	r := Request{Repo: halyard, Branch: "main", Cause: "asked for", Key: "once"}
	e, err := p.Submit(ctx, r, "twist", spec)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := p.Submit(ctx, r, "twist", spec); err != nil || again.ID != e.ID {
		t.Errorf("with the same key: %s, %v; want %s", again.ID, err, e.ID)
	}
	if none, err := p.Artifacts(ctx, e.ID); err != nil || len(none) > 0 {
		t.Errorf("before it ran: %v, %v", none, err)
	}
	p.drain()
	if e, err = p.Execution(ctx, e.ID); err != nil || e.State != job.Success || e.Job != "twist" || e.Refs.BaseSHA != tip || e.Report || !e.Optional {
		t.Fatalf("%+v, %v", e, err)
	}
	if said := p.forge.said(tip, "twist"); len(said) > 0 {
		t.Errorf("the forge is told %v", said)
	}
	all, err := p.Artifacts(ctx, e.ID)
	if err != nil || len(all) != 1 || all[0].Name != "deep/rope" {
		t.Fatalf("%v, %v", all, err)
	}
	f, err := p.Artifact(ctx, e.ID, "deep/rope")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil || string(text) != "hemp\n" {
		t.Errorf("%q, %v", text, err)
	}
	for _, name := range []string{"", "missing", "../build-log.txt", "deep/../deep/rope", "/deep/rope"} {
		if f, err := p.Artifact(ctx, e.ID, name); !errors.Is(err, result.ErrNoBuild) {
			t.Errorf("%q: %v, %v", name, f, err)
		}
	}
	if _, err := p.Artifacts(ctx, "nobody"); err == nil {
		t.Error("the artifacts of nothing")
	}
	if _, err := p.Submit(ctx, Request{Repo: halyard, Branch: "nowhere"}, "twist", spec); err == nil {
		t.Error("a branch there is not")
	}
}
