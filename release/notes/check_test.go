package notes

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, body string
		labels     []string
		want       Outcome
		text       string
		action     bool
		why        string
	}{
		{name: "note", body: "Intro.\n\n```release-note\nAdded a thing.\n```\n", want: HasNote, text: "Added a thing."},
		{name: "plural", body: "```release-notes\nAdded a thing.\n```", want: HasNote, text: "Added a thing."},
		{name: "crlf", body: "x\r\n```release-note\r\nAdded\r\na thing.\r\n```\r\n", want: HasNote, text: "Added\na thing."},
		{name: "closed at the end of the body", body: "```release-note\r\nAdded.\r\n```", want: HasNote, text: "Added."},
		{name: "several lines", body: "```release-note\nOne.\n\nTwo `code`.\n```", want: HasNote, text: "One.\n\nTwo `code`."},
		{name: "first block counts", body: "```release-note\nFirst.\n```\n```release-note\nSecond.\n```", want: HasNote, text: "First."},
		{name: "code within", body: "```release-note\nNote:\n```yaml\na: b\n```\nEnd.\n```", want: HasNote, text: "Note:\n```yaml\na: b\n```\nEnd."},
		{name: "code within is not closed", body: "```release-note\nNote:\n```yaml\na: b\n```\n", want: InvalidNote, why: "never closed"},
		{name: "case is the author's", body: "```release-note\nhack/local-up-cluster.sh works.\n```", want: HasNote, text: "hack/local-up-cluster.sh works."},
		{name: "says more than none", body: "```release-note\nNone of the flags is removed.\n```", want: HasNote, text: "None of the flags is removed."},

		{name: "none", body: "```release-note\nNONE\n```", want: NoneNeeded},
		{name: "none in any case", body: "```release-note\n  nOnE \n```", want: NoneNeeded},
		{name: "n/a", body: "```release-note\nN/A\n```", want: NoneNeeded},
		{name: "na", body: "```release-notes\nna\n```", want: NoneNeeded},
		{name: "quoted none", body: "```release-note\n\"NONE\"\n```", want: NoneNeeded},
		{name: "none with a full stop", body: "```release-note\nNone.\n```", want: NoneNeeded},
		{name: "none beside a note", body: "```release-note\nNote.\n```\n```release-note\nNONE\n```", want: NoneNeeded},
		{name: "command", body: "Fixes it.\n/release-note-none\n", want: NoneNeeded},
		{name: "command beside a note", body: "/release-note-none\n```release-note\nNote.\n```", want: NoneNeeded},
		{name: "command within a word", body: "see docs/release-note-none.md", want: MissingNote},
		{name: "label none", body: "```release-note\nNote.\n```", labels: []string{"release-note-none"}, want: NoneNeeded, why: "label"},
		{name: "label none without a block", labels: []string{"Release-Note-None"}, want: NoneNeeded},

		{name: "nothing", body: "Fixes a bug.", want: MissingNote, why: "no release-note block"},
		{name: "no body", want: MissingNote},
		{name: "empty block", body: "```release-note\n\n```", want: MissingNote, why: "is empty"},
		{name: "block of blanks", body: "```release-note\n \t\n```", want: MissingNote},
		{name: "block without a line", body: "```release-note\n```", want: MissingNote},
		{name: "another language", body: "```go\nfunc main() {}\n```", want: MissingNote},
		{name: "bare block", body: "```\r\nsome output\r\n```\r\n", want: MissingNote},
		{name: "dev-release-note", body: "```dev-release-note\nfor developers\n```", want: MissingNote},
		{name: "inline code", body: "use ```release-note to say it```", want: MissingNote},
		{name: "quoted in another block", body: "```markdown\n```release-note\nx\n```\n```", want: MissingNote},

		{name: "empty beside filled", body: "```release-note\n\n```\n```release-note\nNote.\n```", want: InvalidNote, why: "remove it"},
		{name: "upper case", body: "```Release-Note\nNote.\n```", want: InvalidNote, why: "line 1: write ```release-note"},
		{name: "trailing space", body: "text\n\n```release-note \nNote.\n```", want: InvalidNote, why: "line 3"},
		{name: "space before", body: "``` release-note\nNote.\n```", want: InvalidNote},
		{name: "four backticks", body: "````release-note\nNote.\n````", want: InvalidNote},
		{name: "never closed", body: "```release-note\nNote.\n", want: InvalidNote, why: "never closed"},
		{name: "closed within a line", body: "```release-note\nNote.```\n", want: InvalidNote, why: "never closed"},
		{name: "ends differ", body: "```release-note\r\nNote.\r\n```\n", want: InvalidNote, why: "end differently"},
		{name: "only a marker", body: "```release-note\n[action required]\n```", want: InvalidNote, why: "nothing but a marker"},

		{name: "single bullet", body: "```release-note\n- Added a thing.\n```", want: HasNote, text: "Added a thing."},
		{name: "single star", body: "```release-note\n* Added a * b.\n```", want: HasNote, text: "Added a * b."},
		{name: "two stars", body: "```release-note\n* One.\n* Two * 2.\n  * Sub.\n```", want: HasNote, text: "- One.\n- Two * 2.\n  - Sub."},
		{name: "emphasis is no bullet", body: "```release-note\n*Very* nice.\n```", want: HasNote, text: "*Very* nice."},

		{name: "action required", body: "```release-note\n[action required] Move your data.\n```", want: HasNote, text: "Move your data.", action: true},
		{name: "action required in capitals", body: "```release-note\nACTION REQUIRED: Move your data.\n```", want: HasNote, text: "Move your data.", action: true},
		{name: "action required in bold", body: "```release-note\n**[ACTION REQUIRED]**: Move it.\n```", want: HasNote, text: "Move it.", action: true},
		{name: "action required in a list", body: "```release-note\n* [Action Required] Move it.\n```", want: HasNote, text: "Move it.", action: true},
		{name: "action required by label", body: "```release-note\nMove it.\n```", labels: []string{"release-note-action-required"}, want: HasNote, text: "Move it.", action: true},
		{name: "action required in the middle", body: "```release-note\nNo [action required] here.\n```", want: HasNote, text: "No [action required] here."},
		{name: "label without a note", body: "```release-note\nNONE\n```", labels: []string{"release-note-action-required"}, want: NoneNeeded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := Check(tc.body, tc.labels)
			if got.Outcome != tc.want || got.Text != tc.text || got.ActionRequired != tc.action || !strings.Contains(got.Why, tc.why) || got.Why == "" {
				t.Errorf("got %+v\nwant %s, %q, action %v, why %q", got, tc.want, tc.text, tc.action, tc.why)
			}
		})
	}
}

func TestDocs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, block string
		want        []Doc
	}{
		{"template", "- [KEP]: https://github.com/kubernetes/enhancements/issues/1\n- [Usage]: https://kubernetes.io/docs/x/#y\n- [Other doc]: https://example.com/a", []Doc{
			{"[KEP]", "https://github.com/kubernetes/enhancements/issues/1", DocKEP},
			{"[Usage]", "https://kubernetes.io/docs/x/#y", DocOfficial},
			{"[Other doc]", "https://example.com/a", DocExternal}}},
		{"angle brackets", "Guide - part 2: <https://example.com/a-b>.", []Doc{{"Guide - part 2", "https://example.com/a-b", DocExternal}}},
		{"Markdown link", "[Guide](https://example.com/a_(b))", []Doc{{"[Guide]", "https://example.com/a_(b)", DocExternal}}},
		{"bare link", "http://kep.k8s.io/4008", []Doc{{"", "http://kep.k8s.io/4008", DocKEP}}},
		{"proposal of any project", "* https://forge.example/harbour/halyard/src/keps/0007-x", []Doc{{"", "https://forge.example/harbour/halyard/src/keps/0007-x", DocKEP}}},
		{"no guide of ours", "https://kubernetes.io/blog/x", []Doc{{"", "https://kubernetes.io/blog/x", DocExternal}}},
		{"lines without a link", "\n- [KEP]:\nsome words\n", nil},
		{"no host", "https://", nil},
	} {
		got := Check("```docs\n"+tc.block+"\n```\n", nil).Docs
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
	both := Check("```release-note\nNote.\n```\n\n```docs\nhttps://example.com\n```", nil)
	if both.Text != "Note." || len(both.Docs) != 1 {
		t.Errorf("%+v", both)
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		"```release-note\nNote.\n```\n", "```release-note\r\n* a\r\n* b\r\n```\r\n```docs\r\n- x: <https://a.b/c>\r\n```",
		"```release-note\n\n```", "````\n```release-note\nx\n```\n````", "```Release-Note \nNONE\n```", "/release-note-none", "```release-note\n[action required]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got := Check(body, nil)
		if (got.Outcome == HasNote) != (got.Text != "") || got.Why == "" {
			t.Fatalf("%q: %+v", body, got)
		}
		if got.Text != strings.TrimSpace(got.Text) {
			t.Fatalf("%q: the text has blanks around it: %q", body, got.Text)
		}
		if got.ActionRequired && got.Outcome != HasNote {
			t.Fatalf("%q: action without a note", body)
		}
		for _, d := range got.Docs {
			if d.URL == "" || strings.ContainsAny(d.URL, " \n<>") || d.Type == "" {
				t.Fatalf("%q: doc %+v", body, d)
			}
		}
	})
}
