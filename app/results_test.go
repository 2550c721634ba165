package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Results are read from what is there: a mistyped folder is told, not made.
func TestOpenResultsNowhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	missing := filepath.Join(dir, "reuslts")
	for _, address := range []string{missing, "file://" + missing} {
		if _, err := OpenResults(t.Context(), address); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want that it does not exist", address, err)
		}
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is there now: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenResults(t.Context(), file); err == nil || !strings.Contains(err.Error(), "is no folder") {
		t.Errorf("of a file: %v", err)
	}
	r, err := OpenResults(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
