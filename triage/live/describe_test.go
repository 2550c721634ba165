package live_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"seaworthy/triage/live"
)

func TestCheckDescription(t *testing.T) {
	t.Parallel()
	for issue, fine := range map[string]bool{
		"": true, " ": true, "https://github.com/a/b/issues/7": true, " http://forge.example/x?y=1#z ": true, "/harbour/halyard/issues/7": true,
		"javascript:alert(1)": false, "JavaScript:alert(1)": false, "data:text/html,x": false, "//elsewhere/x": false, `/\\elsewhere/x`: false, "issues/7": false, "#7": false,
		"https://": false, "https:///x": false, "https://ada:secret@forge.example/x": false, "https://forge.example/a b": false, "https://forge.example/\n": true,
		"ftp://forge.example/x": false, "https://forge.example/%zz": false, "https://forge.example/" + strings.Repeat("a", 2000): false,
	} {
		if err := live.CheckIssue(issue); (err == nil) != fine || err != nil && !errors.Is(err, live.ErrDescription) {
			t.Errorf("issue %q: %v", issue, err)
		}
	}
	for owner, fine := range map[string]bool{
		"": true, "sig-node": true, "Ada Böhm": true, "none": false, " SIG-None ": false, "a\nb": false, "a\x00": false, "\xff": false, strings.Repeat("a", 100): true, strings.Repeat("ä", 101): false,
		"\u202eevil": false,
	} {
		if err := live.CheckOwner(owner); (err == nil) != fine || err != nil && !errors.Is(err, live.ErrDescription) {
			t.Errorf("owner %q: %v", owner, err)
		}
	}
}

// Whatever is taken for an issue leads to a page: here, or to one of http.
func FuzzCheckIssue(f *testing.F) {
	for _, s := range []string{"/a/b/issues/1", "https://x/y", "//x", "java\tscript:x", "http:/x", "/\t/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if live.CheckIssue(s) != nil {
			return
		}
		s = strings.TrimSpace(s)
		base, err := url.Parse("https://here.example/triage/x")
		if err != nil {
			t.Fatal(err)
		}
		to, err := base.Parse(s)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if to.Scheme != "https" && to.Scheme != "http" || to.Host == "" || strings.HasPrefix(s, "/") && to.Host != base.Host {
			t.Errorf("%q leads to %s", s, to)
		}
	})
}
