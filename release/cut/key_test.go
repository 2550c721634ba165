package cut_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"gocloud.dev/gcerrors"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release/cut"
)

// The key lies beside the markers before anything that is signed, and a
// rehearsal leaves none for readers. One that another follows stays.
func TestKeyIsPublished(t *testing.T) {
	t.Parallel()
	const key, former = "release/harbour/halyard/release-key.pub", "release/harbour/halyard/release-key-04ca864dc6af.pub"
	p := newPlace(t)
	s := newService(t, p.options(&flow.Memory{}))
	request := cut.CutRequest{Repo: halyard, BuildVersion: staged(t, s, stageRC()), Mock: true, Actor: "ada"}
	mock, err := s.Cut(t.Context(), request)
	must(t, err)
	drive(t, s, mock.ID, flow.Succeeded)
	for _, name := range []string{key, "mock/" + key} {
		if _, err := p.bucket.Attributes(t.Context(), name); gcerrors.Code(err) != gcerrors.NotFound {
			t.Errorf("after a rehearsal, %s: %v", name, err)
		}
	}
	must(t, p.bucket.WriteAll(t.Context(), key, []byte("an older key\n"), nil))

	request.Mock = false
	run, err := s.Cut(t.Context(), request)
	must(t, err)
	if _, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{Until: "key"}); err != nil {
		t.Fatal(err)
	}
	files, _, err := p.bucket.ListPage(t.Context(), []byte("first page"), 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasPrefix(f.Key, "release/") && !strings.HasSuffix(f.Key, ".pub") {
			t.Errorf("%s is public before the key", f.Key)
		}
	}
	drive(t, s, run.ID, flow.Succeeded)
	for name, want := range map[string]string{key: "the key of test\n", former: "an older key\n"} {
		if have, err := p.bucket.ReadAll(t.Context(), name); err != nil || !bytes.Equal(have, []byte(want)) {
			t.Errorf("%s holds %q, %v", name, have, err)
		}
	}
}

// A rehearsal says nothing of another place.
func TestRehearsalCountsWhereItWas(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	journal := &flow.Memory{}
	at := func(destination string) *cut.Service {
		o := p.options(journal)
		o.Destination = destination
		o.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) {
			c := project()
			c.Rehearse = true
			return c, nil
		}
		return newService(t, o)
	}
	here, there := at("folder:/srv/here"), at("folder:/srv/there")
	request := cut.CutRequest{Repo: halyard, BuildVersion: staged(t, here, stageRC()), Mock: true, Actor: "ada", Destination: "folder:/srv/there"}
	mock, err := here.Cut(t.Context(), request)
	must(t, err)
	drive(t, here, mock.ID, flow.Succeeded)
	request.Mock = false
	run, err := there.Cut(t.Context(), request)
	must(t, err)
	_, err = there.Drive(t.Context(), run.ID, flow.DriveOptions{})
	if noGo := (*cut.NoGoError)(nil); !errors.As(err, &noGo) || !strings.Contains(err.Error(), "it was for folder:/srv/here") {
		t.Fatalf("rehearsed elsewhere: %v", err)
	}
	nothingPublic(t, p)
	request.Mock = true
	mock, err = there.Cut(t.Context(), request)
	must(t, err)
	drive(t, there, mock.ID, flow.Succeeded)
	if state, err := there.Resume(t.Context(), run.ID, flow.DriveOptions{}); err != nil || state != flow.Succeeded {
		t.Fatalf("rehearsed here: %s, %v", state, err)
	}
	checkPublished(t, p)
}
