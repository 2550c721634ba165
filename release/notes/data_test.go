package notes

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// worldData gives the files of an archive of real release notes, by path.
func worldData(t *testing.T) map[string][]byte {
	t.Helper()
	dir := os.Getenv("SEAWORTHY_DATA")
	if dir == "" {
		t.Skip("SEAWORTHY_DATA is not set: no real release notes to read")
	}
	f, err := os.Open(filepath.Join(dir, "release-notes.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRealDraftsRoundTrip(t *testing.T) {
	t.Parallel()
	drafts, rendered, same := 0, 0, 0
	for name, data := range worldData(t) {
		if path.Base(name) != "release-notes-draft.json" {
			continue
		}
		drafts++
		list, err := DecodeJSON(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := EncodeJSON(list)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(generic(t, data), generic(t, again)); diff != "" {
			t.Errorf("%s does not round-trip:\n%s", name, diff)
		}
		for _, n := range list {
			// A map drops the SIGs from the line; such lines are not ours to compare.
			if strings.Contains(n.Markdown, ") [SIG ") {
				rendered++
				if n.line(true) == n.Markdown {
					same++
				}
			}
		}
	}
	if drafts < 4 {
		t.Errorf("only %d drafts were found", drafts)
	}
	// The rest was edited by hand, or begins with a path.
	if rendered == 0 || same*100 < rendered*98 {
		t.Errorf("%d of %d lines are rendered as they were published", same, rendered)
	}
	t.Logf("%d drafts, %d of %d lines rendered as they were published", drafts, same, rendered)
}

// generic reads notes without knowing them. A flag that is false is the same as
// one that is absent, and blanks between keys do not count: people edit drafts.
func generic(t *testing.T, data []byte) map[string]map[string]any {
	t.Helper()
	var notes map[string]map[string]any
	if err := json.Unmarshal(data, &notes); err != nil {
		t.Fatal(err)
	}
	for _, n := range notes {
		for key, v := range n {
			if v == false {
				delete(n, key)
			}
		}
	}
	return notes
}
