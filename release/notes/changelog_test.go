package notes

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func insert(t *testing.T, file []byte, version, text string) []byte {
	t.Helper()
	got, err := Insert(file, version, text)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func part1(version string) string {
	return "# " + version + "\n\n## Changes by Kind\n\n### Feature\n\n- Something in " + version + "\n\n```\n# not a heading\n```\n"
}

func TestInsert(t *testing.T) {
	t.Parallel()
	// In whatever order they come, they stand newest first.
	orders := [][]string{
		{"v1.2.0-alpha.1", "v1.2.0-rc.0", "v1.2.0", "v1.2.10", "v1.2.9"},
		{"v1.2.10", "v1.2.9", "v1.2.0", "v1.2.0-rc.0", "v1.2.0-alpha.1"},
		{"v1.2.0", "v1.2.10", "v1.2.0-alpha.1", "v1.2.9", "v1.2.0-rc.0", "v1.2.0", "v1.2.9"},
	}
	var first []byte
	for _, order := range orders {
		var file []byte
		for _, version := range order {
			file = insert(t, file, version, part1(version))
			if again := insert(t, file, version, part1(version)); !bytes.Equal(file, again) {
				t.Fatalf("inserting %s twice:\n%s", version, cmp.Diff(string(file), string(again)))
			}
		}
		if first == nil {
			first = file
		}
		if diff := cmp.Diff(string(first), string(file)); diff != "" {
			t.Errorf("order %v: %s", order, diff)
		}
	}
	golden(t, "changelog.md", first)
}

func TestInsertReplaces(t *testing.T) {
	t.Parallel()
	file := insert(t, insert(t, nil, "v1.2.0", part1("v1.2.0")), "v1.2.1", part1("v1.2.1"))
	file = insert(t, file, "v1.2.0", "# v1.2.0\n\nRewritten.\n")
	if s := string(file); strings.Contains(s, "in v1.2.0") || strings.Count(s, "\n# v1.2.0\n") != 1 || !strings.Contains(s, "Rewritten.") || !strings.Contains(s, "in v1.2.1") {
		t.Errorf("got\n%s", s)
	}
}

func TestInsertKeepsWhatPeopleWrote(t *testing.T) {
	t.Parallel()
	old := "<!-- BEGIN MUNGE: GENERATED_TOC -->\r\n\r\n- [v1.1.0](#v110)\r\n\r\n<!-- END MUNGE: GENERATED_TOC -->\r\n\r\nA word before.\r\n\r\n# v1.1.0\r\n\r\nBy hand.\r\n\r\n# Notes on upgrading\r\n\r\nAlso by hand.\r\n"
	got := string(insert(t, []byte(old), "v1.2.0", "# v1.2.0\n\nNew.\n"))
	want := `<!-- BEGIN MUNGE: GENERATED_TOC -->

- [v1.2.0](#v120)
- [v1.1.0](#v110)
- [Notes on upgrading](#notes-on-upgrading)

<!-- END MUNGE: GENERATED_TOC -->

A word before.

# v1.2.0

New.

# v1.1.0

By hand.

# Notes on upgrading

Also by hand.
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A block that is never closed does not swallow what comes after it.
func TestInsertSurvivesOpenBlocks(t *testing.T) {
	t.Parallel()
	file := insert(t, insert(t, nil, "v1.2.0", part1("v1.2.0")), "v1.2.1", "# v1.2.1\n\n```\nopen\n")
	file = insert(t, file, "v1.2.1", "# v1.2.1\n\nClosed.\n")
	if !bytes.Contains(file, []byte("Something in v1.2.0")) || bytes.Contains(file, []byte("open")) {
		t.Errorf("got\n%s", file)
	}
}

func TestInsertRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ file, version, section string }{
		"not a version":           {"", "main", "# main\n"},
		"must begin":              {"", "v1.2.0", "# v1.2.1\n"},
		"must begin with":         {"", "v1.2.0", "text"},
		"contents is not closed":  {tocBegin + "\n- x\n", "v1.2.0", "# v1.2.0\n"},
		`must begin with the hea`: {"", "v1.2.0", ""},
		"holds one of v1.3.0":     {"", "v1.2.0", "# v1.2.0\n\n# v1.3.0\n"},
	} {
		if got, err := Insert([]byte(tc.file), tc.version, tc.section); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestTableOfContentsAnchors(t *testing.T) {
	t.Parallel()
	file := insert(t, nil, "v1.2.0", "# v1.2.0\n\n## (No, really, you MUST read this!)\n\n## Über `x_y`\n\n## Feature\n\n## Feature\n\n#no heading\n")
	for _, want := range []string{
		"- [v1.2.0](#v120)\n", "  - [(No, really, you MUST read this!)](#no-really-you-must-read-this)\n",
		"  - [Über `x_y`](#über-x_y)\n", "  - [Feature](#feature)\n  - [Feature](#feature-1)\n\n<!-- END",
	} {
		if !bytes.Contains(file, []byte(want)) {
			t.Errorf("%q is missing in\n%s", want, file)
		}
	}
}

func TestFileName(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"v1.2.3": "CHANGELOG/CHANGELOG-1.2.md", "v0.10.0-rc.1": "CHANGELOG/CHANGELOG-0.10.md", "tools/v3.4.0": "CHANGELOG/CHANGELOG-3.4.md", "main": "", "": "",
	} {
		if got, err := FileName(version); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is in %q, %v", version, got, err)
		}
	}
}

func TestInsertReadme(t *testing.T) {
	t.Parallel()
	var file []byte
	var err error
	for _, version := range []string{"v1.9.0", "v1.10.0", "v1.9.1", "v0.1.0"} {
		if file, err = InsertReadme(file, version); err != nil {
			t.Fatal(err)
		}
	}
	want := "# CHANGELOGs\n\n- [CHANGELOG-1.10.md](./CHANGELOG-1.10.md)\n- [CHANGELOG-1.9.md](./CHANGELOG-1.9.md)\n- [CHANGELOG-0.1.md](./CHANGELOG-0.1.md)\n"
	if diff := cmp.Diff(want, string(file)); diff != "" {
		t.Error(diff)
	}
	file, err = InsertReadme([]byte("# Ours\n\nIntro.\n\n- [CHANGELOG-1.1.md](./CHANGELOG-1.1.md)\n- [old](./old.md)\n\nOutro.\n"), "v1.2.0")
	want = "# Ours\n\nIntro.\n\n- [CHANGELOG-1.2.md](./CHANGELOG-1.2.md)\n- [CHANGELOG-1.1.md](./CHANGELOG-1.1.md)\n- [old](./old.md)\n\nOutro.\n"
	if diff := cmp.Diff(want, string(file)); diff != "" || err != nil {
		t.Error(diff, err)
	}
	file, err = InsertReadme([]byte("# Ours\n\nNo list yet.\n"), "v1.2.0")
	if err != nil || string(file) != "# Ours\n\nNo list yet.\n\n- [CHANGELOG-1.2.md](./CHANGELOG-1.2.md)\n" {
		t.Errorf("%q, %v", file, err)
	}
	if _, err := InsertReadme(nil, "main"); err == nil {
		t.Error("main was listed")
	}
}

func FuzzInsert(f *testing.F) {
	f.Add("# v1.0.0\n\ntext\n", "- note\n")
	f.Add(tocBegin+"\n"+tocEnd+"\nlead\n# v1.3.0\n```\n# v9.9.9\n", "```\n# v2.0.0\n")
	f.Fuzz(func(t *testing.T, file, body string) {
		section := "# v1.2.0\n\n" + body
		once, err := Insert([]byte(file), "v1.2.0", section)
		if err != nil {
			return
		}
		if !slices.Contains(strings.Split(string(once), "\n"), "# v1.2.0") {
			t.Fatalf("the section is missing in %q", once)
		}
		twice, err := Insert(once, "v1.2.0", section)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("inserting twice (%v): %q, then %q", err, once, twice)
		}
	})
}
