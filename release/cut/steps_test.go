package cut

import "testing"

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 files", 1: "1 file", 2: "2 files"} {
		if got := fileCount(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
	if got := count(1, "dependency", "dependencies"); got != "1 dependency" {
		t.Error(got)
	}
}
