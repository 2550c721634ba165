package cloudbuild_test

import (
	"strings"
	"testing"
	"time"

	"seaworthy/job/cloudbuild"
	"seaworthy/strict"
)

// substituted puts values in for the names of one argument.
func substituted(t testing.TB, text string, options string, values map[string]string) (string, []strict.Problem) {
	t.Helper()
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	plan, failures := planOf(t, "steps: [{name: bash, args: ["+quoted+"]}]\noptions: {"+options+"}\n", cloudbuild.Given{
		BuiltIn: map[string]string{"PROJECT_ID": "tides", "SHORT_SHA": "abcdef1"}, Offered: values})
	if len(plan.Steps) != 1 || len(plan.Steps[0].Command) != 1 {
		return "", failures
	}
	return plan.Steps[0].Command[0], failures
}

func TestSubstitutions(t *testing.T) {
	t.Parallel()
	values := map[string]string{"_TAG": "v1.2.3-rc.1", "_A": "a", "_AB": "ab", "_EMPTY": "", "_SELF": "$_TAG"}
	for _, c := range []struct{ text, want, fails string }{
		{"$_TAG", "v1.2.3-rc.1", ""},
		{"${_A}b $_AB $_A.b", "ab ab a.b", ""},
		{"$PROJECT_ID/${SHORT_SHA}", "tides/abcdef1", ""},
		{"[$TAG_NAME]", "[]", ""},
		{"$$HOME $${HOME} $$$_A", "$HOME ${HOME} $a", ""},
		{"$(date) $1 $@ 5$ $", "$(date) $1 $@ 5$ $", ""},
		{"$_SELF", "$_TAG", ""}, // values are taken as they are
		{"$HOME", "", "write $$HOME"},
		{"$i", "", "write $$i"},
		{"$_MISSING", "", "has no value"},
		{"${_A", "", "closing brace"},
		{"${}", "", "dynamicSubstitutions"},
		{"${_A:-x}", "", "dynamicSubstitutions"},
	} {
		got, failures := substituted(t, c.text, "", values)
		switch {
		case c.fails == "" && (got != c.want || len(failures) > 0):
			t.Errorf("%s: %q, want %q (%v)", c.text, got, c.want, failures)
		case c.fails != "" && (len(failures) != 1 || !strings.Contains(failures[0].Message, c.fails)):
			t.Errorf("%s: %v, want %q", c.text, failures, c.fails)
		}
	}
	if got, failures := substituted(t, "[$_MISSING]", "substitutionOption: ALLOW_LOOSE", nil); got != "[]" || len(failures) > 0 {
		t.Errorf("loose: %q %v", got, failures)
	}
}

// Bash's expansions, each as bash 5.2 has it.
func TestExpansions(t *testing.T) {
	t.Parallel()
	values := map[string]string{"_V": "refs/heads/release-1.2", "_W": "Hello World", "_EMPTY": "", "_X": "a.b.c", "_ME": "${_X}!", "_LOOP": "$_POOL", "_POOL": "$_LOOP", "_U": "änderung"}
	for _, c := range []struct{ text, want, fails string }{
		{"${_X:-y}${_NO:-y}${_EMPTY:-y}", "a.b.cyy", ""},
		{"${_NO-y}[${_EMPTY-y}]", "y[]", ""},
		{"${_NO:=y}${_NO=z}", "yz", ""},
		{"[${_X:+y}${_NO:+y}${_EMPTY:+y}${_EMPTY+z}]", "[yz]", ""},
		{"${_NO:-${_X%.*}}", "a.b", ""},
		{"${_X:?gone}", "a.b.c", ""},
		{"${_NO:?is needed}", "", "$_NO: is needed"},
		{"${_NO:?}", "", "it has no value"},
		{"${#_X} ${#_U}", "5 8", ""},
		{"${_X:2} ${_X:2:1} ${_X: -1} ${_X:0:-2} [${_X:9}]", "b.c b c a.b []", ""},
		{"${_X:x}", "", "no number"},
		{"${_V##*/} ${_V#*/}", "release-1.2 heads/release-1.2", ""},
		{"${_X%.*} ${_X%%.*} ${_X%x}", "a.b a a.b.c", ""},
		{"${_X/./-} ${_X//./-} ${_X/#a/z} ${_X/%c/z} ${_X//.}", "a-b.c a-b-c z.b.c a.b.z abc", ""},
		{`${_V//\//-}`, "refs-heads-release-1.2", ""},
		{"${_W^^} ${_W,,} ${_W,} ${_X^} ${_U^^}", "HELLO WORLD hello world hello World A.b.c ÄNDERUNG", ""},
		{"${_W^^[aeiou]}", "HEllO WOrld", ""},
		{"${_X//[!a-b]/_}", "a_b__", ""},
		{"${_X#?}", ".b.c", ""},
		{"$_ME", "a.b.c!", ""},
		{"$_LOOP", "", "refers to itself"},
		{"${_X@Q}", "", "no expansion that is understood"},
		{"${!_X}", "", "names no substitution"},
		{"${#_X:-y}", "", "no expansion that is understood"},
	} {
		got, failures := substituted(t, c.text, "dynamicSubstitutions: true", values)
		switch {
		case c.fails == "" && (got != c.want || len(failures) > 0):
			t.Errorf("%s: %q, want %q (%v)", c.text, got, c.want, failures)
		case c.fails != "" && (len(failures) == 0 || !strings.Contains(failures[0].Message, c.fails)):
			t.Errorf("%s: %v, want %q", c.text, failures, c.fails)
		}
	}
}

// Values that double one another do not fill the memory.
func TestGrowth(t *testing.T) {
	t.Parallel()
	values := map[string]string{"_A0": strings.Repeat("x", 1000)}
	for i := 1; i < 40; i++ {
		last := "$_A" + string(rune('A'+i-1))
		if i == 1 {
			last = "$_A0"
		}
		values["_A"+string(rune('A'+i))] = last + last
		if i == 25 {
			break
		}
	}
	_, failures := substituted(t, "$_AZ", "dynamicSubstitutions: true", values)
	if len(failures) == 0 || !strings.Contains(failures[0].Message, "grows beyond") {
		t.Errorf("%v", failures)
	}
}

func TestVariants(t *testing.T) {
	t.Parallel()
	all, problems := cloudbuild.ParseVariants("variants.yaml", []byte("variants:\n  b: {CONFIG: two, GO_VERSION: 1.26}\n  a:\n    CONFIG: one\n"))
	if len(problems) > 0 || len(all) != 2 || all[0].Name != "a" || all[1].Substitutions["_GO_VERSION"] != "1.26" || all[0].Substitutions["_CONFIG"] != "one" {
		t.Errorf("%+v %v", all, problems)
	}
	for text, want := range map[string]string{
		"variants: {a: {lower: 1}}": `"lower"`, "variants: {}": "no variants", "varants: {a: {A: 1}}": "variants", "variants: [a]": "mapping", "": "no variants",
	} {
		if _, problems := cloudbuild.ParseVariants("variants.yaml", []byte(text)); len(problems) == 0 || !strings.Contains(problems[0].String(), want) {
			t.Errorf("%q: %v, want %q", text, problems, want)
		}
	}
}

func TestGitTag(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 23, 30, 0, 0, time.FixedZone("west", -3600))
	for describe, want := range map[string]string{
		"v1.2.3-4-gabcdef1\n": "v20261123-v1.2.3-4-gabcdef1", "abcdef1-dirty": "v20261123-abcdef1-dirty", "tools/v1.0.0+x": "v20261123-toolsv1.0.0x",
	} {
		if got := cloudbuild.GitTag(describe, at); got != want {
			t.Errorf("%q: %s, want %s", describe, got, want)
		}
	}
}

func FuzzSubstitutions(f *testing.F) {
	for _, s := range []string{"$_A ${_B} $$", "${_A:-${_B}}", "${_A//[a-z]/x}", "${_A:1:2}", "${_A##*/}", "${_A^^[!x]}", "${", "$", "${#_A}", "${_A/[[]/]}", "${_A%[]a]*}"} {
		f.Add(s, "one/two", true)
		f.Add(s, "$_B$_A", false)
	}
	f.Fuzz(func(t *testing.T, text, value string, dynamic bool) {
		b := cloudbuild.Build{File: "cloudbuild.yaml", Steps: []cloudbuild.Step{{Name: "bash", Entrypoint: "sh", Args: []string{text}}},
			Options: cloudbuild.Options{DynamicSubstitutions: dynamic}}
		plan, problems := b.Plan(cloudbuild.Given{Offered: map[string]string{"_A": value, "_B": "b"}})
		if len(problems) > 0 {
			return
		}
		got := plan.Steps[0].Command[1]
		if !strings.Contains(text, "$") && got != text {
			t.Fatalf("%q becomes %q", text, got)
		}
		if len(got) > 1<<20 {
			t.Fatalf("%d bytes", len(got))
		}
	})
}

// Whatever is read has a plan whose steps wait for steps there are and lie
// below the workspace.
func FuzzParse(f *testing.F) {
	f.Add("steps: [{name: bash, args: [echo]}]")
	f.Add("steps:\n- name: golang\n  args: [go, build]\n  dir: a/../b\n  wait_for: '-'\ntimeout: 5s\n")
	f.Add("options: {substitution_option: ALLOW_LOOSE}\nsteps: &s [{name: x, entrypoint: $_Y, env: [A=$_B]}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		b, problems := cloudbuild.Parse("cloudbuild.yaml", []byte(text))
		if strict.AsError(problems) != nil {
			return
		}
		plan, problems := b.Plan(cloudbuild.Given{})
		if strict.AsError(problems) != nil {
			return
		}
		for i, s := range plan.Steps {
			for _, j := range s.After {
				if j < 0 || j >= len(plan.Steps) || j == i {
					t.Fatalf("step %d waits for %d", i, j)
				}
			}
			if strings.HasPrefix(s.Dir, "/") || s.Dir == ".." || strings.HasPrefix(s.Dir, "../") || s.Script == "" && len(s.Command) == 0 {
				t.Fatalf("step %d: %+v", i, s)
			}
		}
	})
}
