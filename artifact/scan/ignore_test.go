package scan

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIgnored(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rules, path string
		dir, want   bool
	}{
		{"*.o", "a/b.o", false, true},
		{"*.o", "a/b.c", false, false},
		{"/bin", "bin", true, true},
		{"/bin", "a/bin", true, false},
		{"bin/", "a/bin", true, true},
		{"bin/", "a/bin", false, false},
		{"a/b", "a/b", false, true},
		{"a/b", "c/a/b", false, false},
		{"**/b", "c/a/b", false, true},
		{"a/**", "a/b/c", false, true},
		{"a/**", "a", true, false},
		{"a/**/d", "a/d", false, true},
		{"a/**/d", "a/b/c/d", false, true},
		{"a/*", "a/b/c", false, false},
		{"a**b", "a/b", false, false},
		{"*.log\n!keep.log", "keep.log", false, false},
		{"!keep.log\n*.log", "keep.log", false, true},
		{"# a comment", "# a comment", false, false},
		{`\#x`, "#x", false, true},
		{`\!x`, "!x", false, true},
		{"x ", "x", false, true},
		{`x\ `, "x ", false, true},
		{"x\r", "x", false, true},
		{"[a-c].txt", "b.txt", false, true},
		{"[!a-c].txt", "b.txt", false, false},
		{"[^a-c].txt", "d.txt", false, true},
		{"[[:digit:]]x", "7x", false, true},
		{"[]x]", "]", false, true},
		{"[x", "[x", false, false},
		{"x\\", "x", false, false},
		{"a?c", "abc", false, true},
		{"a?c", "a/c", false, false},
		{"/", "x", false, false},
		{"a.c", "abc", false, false},
		{"(a|b)", "(a|b)", false, true},
	}
	for _, tt := range tests {
		var r *ignoreRules
		if have := r.with("", tt.rules).ignored(tt.path, tt.dir); have != tt.want {
			t.Errorf("%q on %q: %v", tt.rules, tt.path, have)
		}
	}
}

func TestIgnoreLevels(t *testing.T) {
	t.Parallel()
	var r *ignoreRules
	r = r.with("", "*.log\n").with("a", "!keep.log\n/x\n")
	for path, want := range map[string]bool{"keep.log": true, "a/keep.log": false, "a/b/keep.log": false, "a/x": true, "x": false, "a/b/x": false, "ab/keep.log": true} {
		if have := r.ignored(path, false); have != want {
			t.Errorf("%s: %v", path, have)
		}
	}
}

// TestIgnoreAsGit compares with what git itself leaves out.
func TestIgnoreAsGit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{
		".gitignore":             "*.o\n/build/\nnode_modules\n!important.o\ndocs/**/*.pdf\nfoo[0-9].txt\n\\#odd\ntrailing   \n*.tmp\n!/keep/*.tmp\nvendor/*\n!vendor/modules.txt\n",
		"sub/.gitignore":         "!special.o\n/local\n*.md\n!README.md\n",
		"sub/deep/.gitignore":    "*\n!*.go\n",
		"a.o":                    "",
		"important.o":            "",
		"build/x":                "",
		"sub/build/x":            "",
		"sub/special.o":          "",
		"sub/other.o":            "",
		"sub/local":              "",
		"sub/more/local":         "",
		"sub/README.md":          "",
		"sub/x.md":               "",
		"sub/deep/a.go":          "",
		"sub/deep/a.c":           "",
		"sub/deep/er/b.go":       "",
		"node_modules/p/i.js":    "",
		"x/node_modules/p/i.js":  "",
		"docs/a.pdf":             "",
		"docs/b/c.pdf":           "",
		"other/docs/a.pdf":       "",
		"foo1.txt":               "",
		"foox.txt":               "",
		"#odd":                   "",
		"trailing":               "",
		"keep/a.tmp":             "",
		"lose/a.tmp":             "",
		"vendor/modules.txt":     "",
		"vendor/example.com/x.c": "",
		"excluded.by.info":       "",
		"plain":                  "",
	}
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), text)
	}
	git := func(args ...string) string {
		c := exec.Command("git", append([]string{"-C", dir, "-c", "core.excludesFile="}, args...)...)
		c.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME="+dir)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		out, err := c.Output()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, &stderr)
		}
		return string(out)
	}
	git("init", "-q")
	writeFile(t, filepath.Join(dir, ".git/info/exclude"), "*.by.info\n")
	want := strings.Split(strings.Trim(git("ls-files", "-z", "--others", "--exclude-standard"), "\x00"), "\x00")
	slices.Sort(want)
	if len(want) < 10 {
		t.Fatalf("git keeps %v", want)
	}
	have := paths(t, dir, Options{})
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	all := paths(t, dir, Options{NoGitignore: true})
	if len(all) != len(files) {
		t.Errorf("%d files of %d without .gitignore", len(all), len(files))
	}
	few := paths(t, dir, Options{Ignore: []string{"sub/", "*.txt"}})
	if slices.ContainsFunc(few, func(s string) bool { return strings.HasPrefix(s, "sub/") || strings.HasSuffix(s, ".txt") }) {
		t.Errorf("given patterns are not honoured: %v", few)
	}
}

func paths(t *testing.T, dir string, o Options) []string {
	t.Helper()
	var list []string
	err := walk(t.Context(), dir, o, func(name string, _ fs.DirEntry) error {
		list = append(list, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func FuzzIgnore(f *testing.F) {
	for _, s := range []string{"*.o", "a/**/b", "[!a-z]", "[[:alpha:]", `\`, "!x/", "**/**/**", "[z-a]"} {
		f.Add(s, "a/b.o")
	}
	f.Fuzz(func(t *testing.T, rules, name string) {
		var r *ignoreRules
		r = r.with("", rules)
		first := r.ignored(name, false)
		if again := r.ignored(name, false); again != first {
			t.Error("decides twice differently")
		}
		if _, ok := parseIgnore(rules); ok && strings.Trim(rules, " ") == "" {
			t.Errorf("%q is a rule", rules)
		}
	})
}
