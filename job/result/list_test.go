package result_test

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob/fileblob"

	"seaworthy/job/result"
)

// A folder is listed alike as a bucket and as files.
func TestList(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"logs/unit/9/started.json":          `{"timestamp":1772884800}`,
		"logs/unit/10/finished.json":        `{}`,
		"logs/unit/11/started.json":         `{"timestamp":"soon"}`,
		"logs/unit/latest-build.txt":        "10",
		"logs/unit/README":                  "hands off",
		"logs/unit/notes/x":                 "",
		"pr-logs/directory/unit/3.txt":      "gs://bucket/pr-logs/pull/1/unit/3",
		"pr-logs/directory/unit/20.txt":     "gs://bucket/pr-logs/pull/2/unit/20",
		"pr-logs/directory/unit/latest.txt": "20",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := fileblob.OpenBucket(dir, &fileblob.Options{Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	files, err := result.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	for folder, want := range map[string][]string{
		"logs/unit":               {"9 logs/unit/9", "10 logs/unit/10", "11 logs/unit/11", "notes logs/unit/notes"},
		"pr-logs/directory/unit/": {"3 pr-logs/directory/unit/3.txt", "20 pr-logs/directory/unit/20.txt"},
		"logs/none":               nil,
	} {
		listed, err := result.List(t.Context(), b, folder)
		if err != nil {
			t.Fatal(err)
		}
		read, err := result.List(t.Context(), files, folder)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(listed, read); diff != "" {
			t.Errorf("%s as a bucket and as files:\n%s", folder, diff)
		}
		var got []string
		for _, r := range listed {
			got = append(got, r.ID+" "+r.Path)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", folder, diff)
		}
	}

	ref, err := result.Follow(t.Context(), b, result.Ref{ID: "20", Path: "pr-logs/directory/unit/20.txt"})
	if want := (result.Ref{ID: "20", Path: "pr-logs/pull/2/unit/20"}); err != nil || ref != want {
		t.Errorf("the alias leads to %v, %v; want %v", ref, err, want)
	}
	for build, want := range map[string]time.Time{"9": time.Unix(1772884800, 0).UTC(), "11": {}} {
		if got, err := result.StartedAt(t.Context(), b, path.Join("logs/unit", build)); err != nil || !got.Equal(want) {
			t.Errorf("build %s began at %v, %v; want %v", build, got, err, want)
		}
	}
	if _, err := result.StartedAt(t.Context(), b, "logs/unit/10"); !errors.Is(err, result.ErrNoBuild) {
		t.Errorf("without started.json: %v, want ErrNoBuild", err)
	}
}
