package cut

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// A compiler that a killed process started goes on writing; the folder is
// cleared all the same, and what it writes is not in the new one.
func TestClearedWhileSomebodyWrites(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "out")
	for round := range 20 {
		if err := os.MkdirAll(filepath.Join(dir, "work"), 0o755); err != nil {
			t.Fatal(err)
		}
		orphan, err := os.OpenRoot(filepath.Join(dir, "work"))
		if err != nil {
			t.Fatal(err)
		}
		begun, stop := make(chan struct{}), make(chan struct{})
		var writing sync.WaitGroup
		writing.Go(func() {
			for i := 0; ; i++ {
				if f, err := orphan.Create(fmt.Sprintf("object-%d", i)); err == nil {
					_ = f.Close() // it may be gone already
				}
				if i == 10 {
					close(begun)
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		<-begun
		err = clearFolder(dir)
		_, gone := os.Lstat(dir)
		close(stop)
		writing.Wait()
		if cerr := orphan.Close(); cerr != nil {
			t.Error(cerr)
		}
		if err != nil || !os.IsNotExist(gone) {
			t.Fatalf("round %d: %v; the folder: %v", round, err, gone)
		}
	}
	if err := clearFolder(filepath.Join(t.TempDir(), "never", "there")); err != nil {
		t.Error(err)
	}
}
