package merge

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seaworthy/forge"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// talk reads "login: body" lines, one minute after the other; "ada+" is an
// approving review, "ada-" one that asks for changes, "ada=" a dismissed one.
func talk(lines ...string) (comments []forge.Comment, reviews []forge.Review) {
	verdicts := map[byte]forge.ReviewState{
		'+': forge.ReviewApproved, '-': forge.ReviewChangesRequested, '=': forge.ReviewDismissed, '~': forge.ReviewCommented,
	}
	for i, l := range lines {
		who, body, _ := strings.Cut(l, ":")
		at := noon.Add(time.Duration(i) * time.Minute)
		if v, ok := verdicts[who[len(who)-1]]; ok {
			reviews = append(reviews, forge.Review{Author: who[:len(who)-1], Body: strings.TrimSpace(body), State: v, SubmittedAt: at})
			continue
		}
		comments = append(comments, forge.Comment{Author: who, Body: strings.TrimSpace(body), CreatedAt: at})
	}
	return comments, reviews
}

func TestApprove(t *testing.T) {
	t.Parallel()
	o := tree(t, harbour)
	tests := []struct {
		name, author string
		files        []string
		talk         []string
		policy       ApprovalPolicy
		byHand       string
		want         bool
		suggested    []string
	}{
		{name: "nobody said anything", author: "ben", files: []string{"main.go"}, suggested: []string{"ada"}},
		{name: "approved", author: "ben", files: []string{"main.go"}, talk: []string{"Ada: /approve"}, want: true},
		{name: "no-issue", author: "ben", files: []string{"main.go"}, talk: []string{"ada: /approve no-issue"}, want: true},
		{name: "not an approver", author: "ben", files: []string{"main.go"}, talk: []string{"cho: /approve"}, suggested: []string{"ada"}},
		{name: "talk is no approval", author: "ben", files: []string{"main.go"}, talk: []string{"ada: /approve when green"}, suggested: []string{"ada"}},
		{name: "quoted is no approval", author: "ben", files: []string{"main.go"}, talk: []string{"ada: > /approve"}, suggested: []string{"ada"}},
		{name: "cancelled", author: "ben", files: []string{"main.go"}, talk: []string{"ada: /approve", "ada: /approve cancel"}, suggested: []string{"ada"}},
		{name: "removed", author: "ben", files: []string{"main.go"}, talk: []string{"ada: /approve", "ada: /remove-approve"}, suggested: []string{"ada"}},
		{name: "somebody else's cancel", author: "ben", files: []string{"main.go"}, talk: []string{"ada: /approve", "ben: /approve cancel"}, want: true},
		{name: "given again", author: "ben", files: []string{"main.go"}, talk: []string{"ada: /approve cancel", "ada: /approve"}, want: true},
		{name: "review", author: "ben", files: []string{"main.go"}, talk: []string{"ada+:"}, want: true},
		{name: "review ignored", author: "ben", files: []string{"main.go"}, talk: []string{"ada+:"}, policy: ApprovalPolicy{IgnoreReviewState: true}, suggested: []string{"ada"}},
		{name: "changes requested later", author: "ben", files: []string{"main.go"}, talk: []string{"ada: /approve", "ada-: no"}, suggested: []string{"ada"}},
		{name: "dismissed review", author: "ben", files: []string{"main.go"}, talk: []string{"ada=:"}, suggested: []string{"ada"}},
		{name: "command in a review", author: "ben", files: []string{"main.go"}, talk: []string{"ada~: /approve"}, want: true},
		{name: "own file", author: "ada", files: []string{"main.go"}, want: true},
		{name: "own file, own word required", author: "ada", files: []string{"main.go"}, policy: ApprovalPolicy{RequireSelfApproval: true}},
		{name: "own word given", author: "ada", files: []string{"main.go"}, talk: []string{"ada: /approve"}, policy: ApprovalPolicy{RequireSelfApproval: true}, want: true},
		{name: "author takes it back", author: "ada", files: []string{"main.go"}, talk: []string{"ada: /approve cancel"}},
		{name: "lgtm is not approval", author: "ben", files: []string{"main.go"}, talk: []string{"ada: /lgtm"}, suggested: []string{"ada"}},
		{name: "lgtm acts as approval", author: "ben", files: []string{"main.go"}, talk: []string{"ada: /lgtm"}, policy: ApprovalPolicy{LGTMActsAsApprove: true}, want: true},
		{name: "lgtm cancelled", author: "ben", files: []string{"main.go"}, talk: []string{"ada: /lgtm", "ada: /lgtm cancel"}, policy: ApprovalPolicy{LGTMActsAsApprove: true}, suggested: []string{"ada"}},
		{name: "lgtm removed", author: "ben", files: []string{"main.go"}, talk: []string{"ada: /lgtm", "ada: /remove-lgtm"}, policy: ApprovalPolicy{LGTMActsAsApprove: true}, suggested: []string{"ada"}},
		{name: "the bot has no say", author: "ben", files: []string{"main.go"}, talk: []string{"ada: /approve"}, policy: ApprovalPolicy{Bot: "Ada"}, suggested: []string{"ada"}},
		{name: "root approves docs", author: "ben", files: []string{"docs/a.md"}, talk: []string{"ada: /approve"}, want: true},
		{name: "alias approves docs", author: "ben", files: []string{"docs/a.md"}, talk: []string{"DEE: /approve"}, want: true},
		{name: "root file decides for docs too", author: "ben", files: []string{"main.go", "docs/a.md"}, talk: []string{"dee: /approve"}, suggested: []string{"ada"}},
		{name: "root is enough for both", author: "ben", files: []string{"main.go", "docs/a.md"}, talk: []string{"ada: /approve"}, want: true},
		{name: "root has no say under no_parent_owners", author: "ben", files: []string{"docs/legal/x"}, talk: []string{"ada: /approve"}, suggested: []string{"lex"}},
		{name: "no_parent_owners is asked beside its parents", author: "ben", files: []string{"docs/legal/x", "main.go"}, talk: []string{"ada: /approve"}, suggested: []string{"lex"}},
		{name: "two folders", author: "ben", files: []string{"docs/a.md", "web/x.html"}, talk: []string{"dee: /approve"}, suggested: []string{"wim"}},
		{name: "filter's approver", author: "ben", files: []string{"web/x.css"}, talk: []string{"sty: /approve"}, want: true},
		{name: "filter's approver for another file", author: "ben", files: []string{"web/x.css", "web/x.html"}, talk: []string{"sty: /approve"}, suggested: []string{"wim"}},
		{name: "unowned subfolder", author: "ben", files: []string{"charts/new/x"}, want: true},
		{name: "the folder itself is owned", author: "ben", files: []string{"charts/x", "charts/new/x"}, suggested: []string{"cap"}},
		{name: "no file", author: "ada"},
		{name: "by hand", author: "ben", files: []string{"main.go"}, byHand: "ada", want: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			comments, reviews := talk(tt.talk...)
			a := Approve(o, Change{Author: tt.author, Files: tt.files, Comments: comments, Reviews: reviews, ByHand: tt.byHand}, tt.policy)
			if a.Approved != tt.want {
				t.Errorf("approved = %v, want %v: %+v", a.Approved, tt.want, a)
			}
			if strings.Join(a.Suggested, " ") != strings.Join(tt.suggested, " ") {
				t.Errorf("suggested %v, want %v", a.Suggested, tt.suggested)
			}
		})
	}
}

func TestApproveExplains(t *testing.T) {
	t.Parallel()
	o := tree(t, harbour)
	comments, _ := talk("Dee: /approve")
	comments[0].HTMLURL = "https://forge/c/1"
	a := Approve(o, Change{Author: "Ben", Files: []string{"docs/a.md", "docs/legal/x", "web/x.css", "charts/new/y"}, Comments: comments}, ApprovalPolicy{})
	want := Approval{
		Files: []FileApproval{
			{Path: "docs/a.md", OwnersDir: "docs", DecidedBy: "docs", Approvers: []string{"ada", "dee", "eva"}, ApprovedBy: []string{"dee"}},
			{Path: "docs/legal/x", OwnersDir: "docs/legal", DecidedBy: "docs/legal", Approvers: []string{"lex"}},
			{Path: "web/x.css", OwnersDir: "web", DecidedBy: "web", Approvers: []string{"ada", "sty", "wim"}},
			{Path: "charts/new/y", OwnersDir: "charts", DecidedBy: "charts", Approvers: []string{"ada", "cap"}, Automatic: true},
		},
		Dirs: []DirApproval{
			{Dir: "docs", Approved: true, Approvers: []string{"dee", "eva"}, ApprovedBy: []string{"dee"}, Files: 1},
			{Dir: "docs/legal", Approvers: []string{"lex"}, Files: 1},
			{Dir: "web", Approvers: []string{"sty", "wim"}, Files: 1},
		},
		Grants: []Grant{
			{Login: "Ben", How: "author"},
			{Login: "Dee", How: "/approve", At: noon, URL: "https://forge/c/1"},
		},
		Suggested: []string{"lex", "sty"},
	}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	covered := Approve(o, Change{Author: "ben", Files: []string{"main.go", "docs/a.md"}}, ApprovalPolicy{})
	if f := covered.Files[1]; f.OwnersDir != "docs" || f.DecidedBy != "" {
		t.Errorf("docs/a.md is decided by %q, want the root: %+v", f.DecidedBy, f)
	}
	if len(covered.Dirs) != 1 || covered.Dirs[0].Files != 2 {
		t.Errorf("the root decides about both files: %+v", covered.Dirs)
	}
}

func TestSuggestions(t *testing.T) {
	t.Parallel()
	o := tree(t, map[string]string{
		"a/OWNERS": "approvers: [u1, u2, both]\n",
		"b/OWNERS": "approvers: [u3, both]\n",
		"c/OWNERS": "approvers: [u4, u5]\n",
		"d/OWNERS": "approvers: [u6, author]\n",
		"e/OWNERS": "approvers: [u7]\n",
		"f/OWNERS": "approvers: [u8, u9]\n",
		"g/OWNERS": "approvers: [author]\n",
		"OWNERS":   "approvers: [root]\n",
	})
	tests := []struct {
		name   string
		files  []string
		prefer []string
		seed   int
		want   string
	}{
		{"one for two folders", []string{"a/x", "b/x"}, nil, 0, "both"},
		{"the fewest win over preference", []string{"a/x", "b/x"}, []string{"u1"}, 0, "both"},
		{"preferred among equals", []string{"c/x"}, []string{"U5"}, 0, "u5"},
		{"seed among equals", []string{"c/x"}, nil, 1, "u5"},
		{"seed may be negative", []string{"c/x"}, nil, -1, "u5"},
		{"not the author", []string{"d/x"}, nil, 0, "u6"},
		{"the root where only the author is close", []string{"g/x"}, nil, 0, "root"},
		{"many folders", []string{"a/x", "b/x", "c/x", "d/x", "e/x", "f/x"}, nil, 0, "both u4 u6 u7 u8"},
		{"same needs count once", []string{"c/x", "c/y", "c/z"}, nil, 0, "u4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := Approve(o, Change{Author: "author", Files: tt.files, Prefer: tt.prefer, Seed: tt.seed}, ApprovalPolicy{RequireSelfApproval: true})
			if got := strings.Join(a.Suggested, " "); got != tt.want {
				t.Errorf("suggested %q, want %q", got, tt.want)
			}
			// What is suggested must be enough.
			var say []string
			for _, s := range a.Suggested {
				say = append(say, s+": /approve")
			}
			comments, _ := talk(say...)
			if again := Approve(o, Change{Author: "author", Files: tt.files, Comments: comments}, ApprovalPolicy{RequireSelfApproval: true}); !again.Approved {
				t.Errorf("after %v it is still not approved", say)
			}
		})
	}
}

func TestLGTM(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		talk    []string
		since   time.Duration // after noon
		reviews bool
		want    string
	}{
		{name: "nobody"},
		{name: "said", talk: []string{"cho: /lgtm"}, want: "cho"},
		{name: "no-issue", talk: []string{"cho: /lgtm no-issue"}, want: "cho"},
		{name: "talk", talk: []string{"cho: /lgtm later"}},
		{name: "own", talk: []string{"Ben: /lgtm"}},
		{name: "stranger", talk: []string{"eve: /lgtm"}},
		{name: "the bot", talk: []string{"Robot: /lgtm"}},
		{name: "before the push", talk: []string{"cho: /lgtm"}, since: time.Minute},
		{name: "after the push", talk: []string{"cho: /lgtm", "dee: /lgtm"}, since: time.Minute, want: "dee"},
		{name: "in the second of the push", talk: []string{"cho: /lgtm"}, since: 900 * time.Millisecond, want: "cho"},
		{name: "cancelled", talk: []string{"cho: /lgtm", "dee: /lgtm cancel"}},
		{name: "removed by the author", talk: []string{"cho: /lgtm", "ben: /remove-lgtm"}},
		{name: "a stranger's cancel", talk: []string{"cho: /lgtm", "eve: /lgtm cancel"}, want: "cho"},
		{name: "given again", talk: []string{"cho: /lgtm cancel", "cho: /lgtm"}, want: "cho"},
		{name: "review", talk: []string{"cho+:"}, reviews: true, want: "cho"},
		{name: "review does not act", talk: []string{"cho+:"}},
		{name: "own review", talk: []string{"ben+:"}, reviews: true},
		{name: "changes requested", talk: []string{"cho+:", "dee-:"}, reviews: true},
		{name: "a stranger's request", talk: []string{"cho+:", "eve-:"}, reviews: true, want: "cho"},
		{name: "command in a review", talk: []string{"cho~: /lgtm"}, want: "cho"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			comments, reviews := talk(tt.talk...)
			got := LGTM(Reviewed{
				Author: "ben", Comments: comments, Reviews: reviews, Since: noon.Add(tt.since),
				Collaborators: []string{"ada", "ben", "cho", "dee", "robot"}, Bot: "robot", ReviewActs: tt.reviews,
			})
			if got != tt.want {
				t.Errorf("lgtm by %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLGTMRules(t *testing.T) {
	t.Parallel()
	people := []string{"Ada", "ben"}
	for _, tt := range []struct {
		author, actor string
		want          bool
	}{{"ben", "ada", true}, {"ben", "Ben", false}, {"ben", "eve", false}, {"eve", "BEN", true}} {
		ok, why := MayLGTM(tt.author, tt.actor, people)
		if ok != tt.want || ok == (why != "") {
			t.Errorf("MayLGTM(%s, %s) = %v, %q", tt.author, tt.actor, ok, why)
		}
	}
	if KeepsLGTM("", "") || KeepsLGTM("a", "b") || !KeepsLGTM("a", "a") {
		t.Error("lgtm is kept for equal, known trees only")
	}
}
