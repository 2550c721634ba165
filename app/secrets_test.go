package app

import (
	"os"
	"sync"
	"testing"
)

// Servers that share their secrets and start at once have the same ones.
func TestSecretsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var all sync.WaitGroup
	got := make([]string, 16)
	for i := range got {
		all.Go(func() {
			var err error
			if got[i], err = (secrets{dir}).get("webhook", random); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, secret := range got {
		if secret == "" || secret != got[0] {
			t.Fatalf("secrets: %q", got)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Fatalf("left behind: %v %v", left, err)
	}
	info, err := left[0].Info()
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("others may read it: %v %v", info.Mode(), err)
	}
}
