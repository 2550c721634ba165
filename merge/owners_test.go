package merge

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/forge"
)

// tree loads OWNERS files given as path and content.
func tree(t *testing.T, files map[string]string) *Owners {
	t.Helper()
	o, problems := load(files)
	for _, p := range problems {
		t.Errorf("unexpected problem: %s", p)
	}
	return o
}

func load(files map[string]string) (*Owners, []Problem) {
	in := map[string][]byte{}
	for name, text := range files {
		in[name] = []byte(text)
	}
	return Load(in)
}

var harbour = map[string]string{
	"OWNERS_ALIASES":    "aliases:\n  Docs-People: [Dee, Eva]\n",
	"OWNERS":            "approvers: [Ada]\nreviewers: [ada, cho]\nlabels: [area/all]\n",
	"docs/OWNERS":       "approvers: [docs-people]\nreviewers: [docs-people]\nlabels: [kind/documentation]\n",
	"docs/legal/OWNERS": "options:\n  no_parent_owners: true\napprovers: [lex]\n",
	"cmd/OWNERS":        "reviewers: [ben]\n",
	"web/OWNERS": "filters:\n  \".*\":\n    approvers: [wim]\n  \"\\\\.css$\":\n    approvers: [sty]\n" +
		"    required_reviewers: [eye]\n    labels: [area/style]\n",
	"charts/OWNERS": "options: {auto_approve_unowned_subfolders: true}\napprovers: [cap]\n",
}

func TestOwnersLookups(t *testing.T) {
	t.Parallel()
	o := tree(t, harbour)
	tests := []struct {
		path, dir                         string
		approvers, leaf, reviewers, wants []string
		labels                            []string
	}{
		{path: "main.go", dir: "", approvers: []string{"ada"}, leaf: []string{"ada"}, reviewers: []string{"ada", "cho"}, labels: []string{"area/all"}},
		{path: "/docs//guide.md", dir: "docs", approvers: []string{"ada", "dee", "eva"}, leaf: []string{"dee", "eva"},
			reviewers: []string{"ada", "cho", "dee", "eva"}, labels: []string{"area/all", "kind/documentation"}},
		{path: "docs/legal/terms.md", dir: "docs/legal", approvers: []string{"lex"}, leaf: []string{"lex"},
			// The file has no reviewers, so those above are asked in spite of no_parent_owners.
			reviewers: []string{"ada", "cho", "dee", "eva"}, labels: []string{"area/all", "kind/documentation"}},
		{path: "docs/legal/deep/x/terms.md", dir: "docs/legal", approvers: []string{"lex"}, leaf: []string{"lex"},
			reviewers: []string{"ada", "cho", "dee", "eva"}, labels: []string{"area/all", "kind/documentation"}},
		{path: "cmd/tool/main.go", dir: "", approvers: []string{"ada"}, leaf: []string{"ada"}, reviewers: []string{"ada", "ben", "cho"}, labels: []string{"area/all"}},
		{path: "web/page.html", dir: "web", approvers: []string{"ada", "wim"}, leaf: []string{"wim"}, reviewers: []string{"ada", "cho"}, labels: []string{"area/all"}},
		{path: "web/css/site.css", dir: "web", approvers: []string{"ada", "sty", "wim"}, leaf: []string{"sty", "wim"},
			reviewers: []string{"ada", "cho"}, wants: []string{"eye"}, labels: []string{"area/all", "area/style"}},
		{path: "docsets/x", dir: "", approvers: []string{"ada"}, leaf: []string{"ada"}, reviewers: []string{"ada", "cho"}, labels: []string{"area/all"}},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			if got := o.OwnersDir(tt.path); got != tt.dir {
				t.Errorf("OwnersDir = %q, want %q", got, tt.dir)
			}
			for _, c := range []struct {
				what      string
				got, want []string
			}{
				{"approvers", o.ApproversFor(tt.path), tt.approvers},
				{"leaf approvers", o.LeafApproversFor(tt.path), tt.leaf},
				{"reviewers", o.ReviewersFor(tt.path), tt.reviewers},
				{"required reviewers", o.RequiredReviewersFor(tt.path), tt.wants},
				{"labels", o.LabelsFor(tt.path), tt.labels},
			} {
				if diff := cmp.Diff(c.want, c.got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", c.what, diff)
				}
			}
		})
	}
}

func TestAmong(t *testing.T) {
	t.Parallel()
	o := tree(t, harbour).Among([]string{"ADA", "Eva", "wim"})
	if got := o.ApproversFor("docs/guide.md"); !slices.Equal(got, []string{"ada", "eva"}) {
		t.Errorf("approvers among the living: %v", got)
	}
	if got := o.OwnersDir("docs/legal/terms.md"); got != "docs" {
		t.Errorf("a folder whose approvers all left is owned by %q, want docs", got)
	}
	if got := o.RequiredReviewersFor("web/x.css"); !slices.Equal(got, []string{"eye"}) {
		t.Errorf("required reviewers are kept as they are: %v", got)
	}
	if same := o.Among(nil); same != o {
		t.Error("Among(nil) is not the same owners")
	}
}

func TestOwnersPaths(t *testing.T) {
	t.Parallel()
	got := OwnersPaths([]string{"a/b/c.go", "a/d.go", "./x"})
	want := []string{"OWNERS", "OWNERS_ALIASES", "a/OWNERS", "a/b/OWNERS"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoadProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file, text string
		want             []string
		approvers        string // of the file beside it, joined
	}{
		{"clean", "OWNERS", "approvers:\n- ann\n", nil, "ann"},
		{"at sign and case", "OWNERS", "approvers:\n- '@Ann'\n- bOb\n", []string{`OWNERS:2: warning: approvers: write "@Ann" without the @`}, "ann bob"},
		{"twice", "OWNERS", "approvers: [ann, Ann]\n", []string{`OWNERS:1: warning: approvers: "Ann" is listed twice`}, "ann"},
		{"no list", "OWNERS", "approvers: ann\n", []string{`OWNERS:1: warning: approvers is a single value; write a list with one "- ann"`}, "ann"},
		{"empty entry", "OWNERS", "approvers:\n- ann\n-\n", []string{`OWNERS:3: warning: approvers has an empty entry`}, "ann"},
		{"number", "OWNERS", "approvers:\n- 4711\n", nil, "4711"},
		{"mapping for list", "OWNERS", "approvers: {a: b}\n", []string{
			"OWNERS: warning: names no approver, reviewer or label; it has no effect",
			`OWNERS:1: approvers must be a list; nothing in it counts`}, ""},
		{"nested list", "OWNERS", "approvers:\n- ann\n- [bob]\n", []string{`OWNERS:3: warning: approvers has an entry that is not a plain name; it is left out`}, "ann"},
		{"not a login", "OWNERS", "approvers:\n- ann lee\n", []string{`OWNERS:2: warning: approvers: "ann lee" cannot be a login`}, "ann lee"},
		{"misspelt", "OWNERS", "approver: [bob]\napprovers: [ann]\n", []string{`OWNERS:1: warning: has the unknown key "approver", which has no effect; did you mean approvers?`}, "ann"},
		{"hyphen", "OWNERS", "required-reviewers: [bob]\napprovers: [ann]\n", []string{`OWNERS:1: warning: has the unknown key "required-reviewers", which has no effect; did you mean required_reviewers?`}, "ann"},
		{"option at the top", "OWNERS", "no_parent_owners: true\napprovers: [ann]\n", []string{`OWNERS:1: warning: no_parent_owners has no effect here; it belongs below options:`}, "ann"},
		{"unknown option", "OWNERS", "options: {parents: no}\napprovers: [ann]\n", []string{`OWNERS:1: warning: has the unknown option "parents", which has no effect`}, "ann"},
		{"option not bool", "OWNERS", "options: {no_parent_owners: maybe}\napprovers: [ann]\n", []string{`OWNERS:1: warning: option no_parent_owners must be true or false, not "maybe"`}, "ann"},
		{"options a list", "OWNERS", "options: [a]\napprovers: [ann]\n", []string{`OWNERS:1: options: must hold keys such as no_parent_owners: true; nothing in it counts`}, "ann"},
		{"options null", "OWNERS", "options:\napprovers: [ann]\n", nil, "ann"},
		{"filters beside lists", "OWNERS", "approvers: [ann]\nfilters:\n  x:\n    approvers: [bob]\n",
			[]string{`OWNERS:2: warning: filters: is ignored because people or labels are listed beside it; move those into the filter ".*"`}, "ann"},
		{"bad pattern", "OWNERS", "filters:\n  '(':\n    approvers: [bob]\n  '.*':\n    approvers: [ann]\n",
			[]string{"OWNERS:2: filter \"(\" is not a regular expression and is left out: error parsing regexp: missing closing ): `(`"}, "ann"},
		{"filter without lists", "OWNERS", "filters:\n  x: y\n", []string{`OWNERS:2: filter "x" has no lists of people below it`}, ""},
		{"filters not a mapping", "OWNERS", "filters: x\n", []string{`OWNERS:1: filters: must map patterns to lists of people; nothing in it counts`}, ""},
		{"key twice", "OWNERS", "approvers: [bob]\napprovers: [ann]\n", []string{`OWNERS:2: warning: gives "approvers" a second time (first on line 1); only the last one counts`}, "ann"},
		{"empty", "OWNERS", "", []string{"OWNERS: warning: is empty; it says nothing"}, ""},
		{"comment only", "OWNERS", "# nobody\n", []string{"OWNERS: warning: is empty; it says nothing"}, ""},
		{"null", "OWNERS", "---\n~\n", []string{"OWNERS: warning: is empty; it says nothing"}, ""},
		{"only emeritus", "OWNERS", "emeritus_approvers: [zed]\n", []string{"OWNERS: warning: names no approver, reviewer or label; it has no effect"}, ""},
		{"only options", "OWNERS", "options: {no_parent_owners: true}\n", nil, ""},
		{"list at the top", "OWNERS", "- ann\n", []string{"OWNERS:1: is not a mapping of keys such as approvers:, so nothing in it counts"}, ""},
		{"tab", "OWNERS", "approvers:\n\t- ann\n", []string{"OWNERS:2: is not YAML, so nothing in it counts: yaml: line 2: found character that cannot start any token"}, ""},
		{"second document", "OWNERS", "approvers: [ann]\n---\napprovers: [bob]\n", []string{"OWNERS:2: warning: has more after the first YAML document; only the first counts"}, "ann"},
		{"anchors", "OWNERS", "reviewers: &p [ann]\napprovers: *p\n", nil, "ann"},
		{"CRLF", "OWNERS", "approvers:\r\n- ann\r\n", nil, "ann"},
		{"flow alias", "OWNERS_ALIASES", "aliases: {team: {bob, ann}}\n", []string{`OWNERS_ALIASES:1: warning: alias "team" is a mapping; write a list in brackets: [ann, bob]`}, "ann bob"},
		{"alias in alias", "OWNERS_ALIASES", "aliases:\n  team: [crew]\n  crew: [ann]\n",
			[]string{`OWNERS_ALIASES: warning: alias "team" contains the alias "crew"; aliases are not expanded inside aliases, so list its people`}, "crew"},
		{"empty alias", "OWNERS_ALIASES", "aliases:\n  team:\n", []string{"OWNERS: warning: names no approver, reviewer or label; it has no effect"}, ""},
		{"aliases at the top", "OWNERS_ALIASES", "team: [ann]\n", []string{`OWNERS_ALIASES:1: warning: has the unknown key "team"; aliases stand below the key aliases:`}, "team"},
		{"aliases a list", "OWNERS_ALIASES", "aliases: [team]\n", []string{`OWNERS_ALIASES:1: aliases: must map each alias to a list of logins; nothing in it counts`}, "team"},
		{"aliases elsewhere", "docs/OWNERS_ALIASES", "aliases: {team: [ann]}\n",
			[]string{`docs/OWNERS_ALIASES: only the OWNERS_ALIASES file at the root of the repository is read; move its aliases there`}, "team"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{tt.file: tt.text}
			if tt.file != "OWNERS" {
				files["OWNERS"] = "approvers: [team]\n"
			}
			o, problems := load(files)
			var got []string
			for _, p := range problems {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if got := strings.Join(o.ApproversFor("x.go"), " "); got != tt.approvers {
				t.Errorf("approvers = %q, want %q", got, tt.approvers)
			}
		})
	}
}

func TestSuggestReviewers(t *testing.T) {
	t.Parallel()
	o := tree(t, map[string]string{
		"OWNERS":      "reviewers: [ada, ben, cho, dee]\napprovers: [ada]\n",
		"docs/OWNERS": "reviewers: [dee, ben]\nrequired_reviewers: [lex]\n",
	})
	files := []forge.FileChange{{Path: "main.go", Additions: 3}, {Path: "docs/a.md", Additions: 10}}
	all := []string{"ada", "ben", "cho", "dee", "lex"}
	tests := []struct {
		name string
		w    ReviewersWanted
		want []string
	}{
		{"weight decides", ReviewersWanted{Author: "cho", Count: 2, Among: all}, []string{"lex", "ben", "dee"}},
		{"not the author", ReviewersWanted{Author: "Ben", Count: 2, Among: all}, []string{"lex", "dee", "ada"}},
		{"seed rotates equals", ReviewersWanted{Author: "cho", Count: 1, Among: all, Seed: 2}, []string{"lex", "dee"}},
		{"have is enough", ReviewersWanted{Author: "cho", Count: 0, Among: all, Have: []string{"lex"}}, nil},
		{"only those who can", ReviewersWanted{Author: "x", Count: 5, Among: []string{"Cho"}}, []string{"cho"}},
		{"excluded", ReviewersWanted{Author: "cho", Count: 1, Among: all, Excluding: []string{"ben", "lex"}}, []string{"dee"}},
		{"negative seed", ReviewersWanted{Author: "cho", Count: 1, Among: []string{"ben"}, Seed: -7}, []string{"ben"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, SuggestReviewers(o, files, tt.w)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	for _, text := range harbour {
		f.Add([]byte(text))
	}
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("filters:\n  ? [x]\n  : y\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		o, problems := Load(map[string][]byte{"OWNERS": text, "OWNERS_ALIASES": text, "d/OWNERS": text})
		if o == nil {
			t.Fatal("no owners")
		}
		for _, p := range problems {
			if p.File == "" || p.Message == "" || p.Line < 0 {
				t.Errorf("a problem that says nothing: %+v", p)
			}
		}
		for _, a := range o.ApproversFor("d/x") {
			if a != normLogin(a) {
				t.Errorf("approver %q is not in lower case", a)
			}
		}
	})
}
