package folder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A process that was killed while it wrote leaves a part; the next one to write
// that file leaves none.
func TestReplaceAfterAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "release.md")
	if err := os.WriteFile(filepath.Join(dir, ".new-8ea7e761f443"), []byte("half of wh"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		if err := replace(file, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		if have, err := os.ReadFile(file); err != nil || string(have) != text {
			t.Errorf("it holds %q, %v", have, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left are %v, %v", left, err)
	}
}
