package release_test

import (
	"strings"
	"testing"
	"time"

	"seaworthy/release"
)

func words(t *testing.T, version string) release.Words {
	t.Helper()
	v, err := release.ParseVersion("v", version)
	if err != nil {
		t.Fatal(err)
	}
	return release.NewWords("halyard", v, "release-1.4", "0a1b2c3d", "v1.4.1", time.Date(2026, 5, 6, 23, 0, 0, 0, time.FixedZone("", -7200)))
}

func TestFill(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ version, text, want string }{
		{"v1.4.2", "{name} {version} of {date}", "halyard v1.4.2 of 2026-05-07"},
		{"v1.4.2", "{number}: {major}.{minor}.{patch}", "1.4.2: 1.4.2"},
		{"v1.4.2", "{next} {next_minor} {next_major}", "v1.4.3 v1.5.0 v2.0.0"},
		{"v1.5.0-rc.1", "{next} {next_minor}", "v1.5.0 v1.6.0"},
		{"v1.4.2", "since {previous} on {branch} at {commit}, {tag}", "since v1.4.1 on release-1.4 at 0a1b2c3d, v1.4.2"},
		{"v1.4.2", "{unknown} {{version}} {2} {}", "{unknown} {v1.4.2} {2} {}"},
	} {
		if got := words(t, tt.version).Fill(tt.text); got != tt.want {
			t.Errorf("%q of %s is %q, want %q", tt.text, tt.version, got, tt.want)
		}
	}
}

func TestEdit(t *testing.T) {
	t.Parallel()
	const schedule = "- release: 1.4\n  next: v1.4.2 # soon\n- release: 1.3\n  next: v1.3.9\nprice: $5\n"
	for _, tt := range []struct {
		name string
		edit release.Edit
		want string // of the lines that changed
	}{
		{"a word in the pattern is its text", release.Edit{Pattern: `next: {version}`, Replace: "next: {next}"}, "  next: v1.4.3 # soon"},
		{"groups beside words", release.Edit{Pattern: `^(\s+next: )v[0-9.]+(.*)$`, Replace: "$1{next}$2"}, "  next: v1.4.3 # soon"},
		{"every match", release.Edit{Pattern: `^  next: .*$`, Replace: "  next: TBD", All: true}, "  next: TBD\n  next: TBD"},
		{"repetitions are no words", release.Edit{Pattern: `v1\.[0-9]{1}\.9`, Replace: "v1.3.10"}, "  next: v1.3.10"},
		{"dollars", release.Edit{Pattern: `\$5`, Replace: "$$6 $x $0$9$"}, "price: $6 $x $5$"},
		{"what a file holds is no placeholder", release.Edit{Pattern: `# (soon)`, Replace: "# {number} $1"}, "  next: v1.4.2 # 1.4.2 soon"},
	} {
		got, err := tt.edit.Apply([]byte(schedule), words(t, "v1.4.2"))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var changed []string
		for i, line := range strings.Split(string(got), "\n") {
			if old := strings.Split(schedule, "\n"); line != old[i] {
				changed = append(changed, line)
			}
		}
		if strings.Join(changed, "\n") != tt.want {
			t.Errorf("%s: changed %q, want %q", tt.name, changed, tt.want)
		}
	}
	for _, bad := range []release.Edit{{File: "schedule.yaml", Pattern: "nowhere"}, {File: "schedule.yaml", Pattern: "("}} {
		if _, err := bad.Apply([]byte(schedule), words(t, "v1.4.2")); err == nil || !strings.Contains(err.Error(), "schedule.yaml") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func FuzzEdit(f *testing.F) {
	f.Add("next: v1.4.2", `next: {version}`, "$1{next}$$")
	f.Add("a{b}c", `{`, "{name")
	f.Fuzz(func(t *testing.T, content, pattern, replace string) {
		w := release.Words{"name": "halyard", "version": "v1.4.2", "next": "v1.4.3"}
		out, err := release.Edit{File: "f", Pattern: pattern, Replace: replace}.Apply([]byte(content), w)
		if err == nil && len(content) > 0 && len(out) > (len(content)+len(replace)*8)*(2+strings.Count(replace, "$")) {
			t.Errorf("%d bytes became %d", len(content), len(out))
		}
		again, err2 := release.Edit{File: "f", Pattern: pattern, Replace: replace}.Apply([]byte(content), w)
		if (err == nil) != (err2 == nil) || string(out) != string(again) {
			t.Error("the same edit gave something else")
		}
	})
}
