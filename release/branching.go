package release

import (
	"fmt"
	"strconv"
	"strings"
)

// Ways a release branch is moved on to the default branch.
const (
	// FastForwardMerge moves the branch where it holds nothing of its own, and
	// else merges; where both changed the same lines, the branch's stay.
	FastForwardMerge = "merge"
	// FastForwardOnly refuses where the branch holds something of its own.
	FastForwardOnly = "only"
)

// BranchRules are the template by which a release branch is forked from the
// default branch. Texts may hold {major}, {minor}, {next_minor}, {previous_minor}
// and {branch}.
type BranchRules struct {
	Jobs       string        `json:"jobs"`     // auto, annotated, all or none
	JobFile    string        `json:"job_file"` // where the copies go
	Dashboard  string        `json:"dashboard,omitempty"`
	Together   []string      `json:"together,omitempty"`   // repositories branched with this one
	Milestone  string        `json:"milestone,omitempty"`  // title; empty: none are kept
	Protection string        `json:"protection,omitempty"` // copy or none
	Require    []string      `json:"require,omitempty"`    // labels a change to the branch needs besides
	Changelog  bool          `json:"changelog,omitempty"`
	Replace    []Replacement `json:"replace,omitempty"`
	// FastForward is FastForwardMerge (or empty) or FastForwardOnly.
	FastForward string `json:"fast_forward,omitempty"`
}

// Replacement is a text that is another one once there is the branch: the
// version a file holds, say.
type Replacement struct {
	File string `json:"file"`
	From string `json:"from"`
	To   string `json:"to"`
	// Where is "main" for the default branch, "branch", or "both".
	Where string `json:"where"`
}

// Series names what a release branch is for.
type Series struct {
	Branch        string `json:"branch"`
	DefaultBranch string `json:"default_branch"`
	Major         int    `json:"major"`
	Minor         int    `json:"minor"`
}

// SeriesOf returns what a branch is for; the error says how to name it.
func SeriesOf(p Policy, branch, defaultBranch string) (Series, error) {
	v, ok := p.ParseBranch(branch)
	if !ok {
		return Series{}, fmt.Errorf("%s is no release branch: they are named like %s", branch, p.pattern())
	}
	return Series{Branch: branch, DefaultBranch: defaultBranch, Major: v.Major, Minor: v.Minor}, nil
}

// Version is 1.2.
func (s Series) Version() string { return fmt.Sprintf("%d.%d", s.Major, s.Minor) }

// Next is the series that the default branch goes on with.
func (s Series) Next() Series {
	s.Minor++
	return s
}

// First is the series' first final version.
func (s Series) First(prefix string) Version {
	return Version{Prefix: prefix, Major: s.Major, Minor: s.Minor}
}

// Expand fills in the placeholders of a text.
func (s Series) Expand(text string) string {
	return strings.NewReplacer("{major}", strconv.Itoa(s.Major), "{minor}", strconv.Itoa(s.Minor),
		"{next_minor}", strconv.Itoa(s.Minor+1), "{previous_minor}", strconv.Itoa(max(0, s.Minor-1)), "{branch}", s.Branch).Replace(text)
}

// FileEdit is a file as it shall be.
type FileEdit struct {
	Path string `json:"path"`
	Text string `json:"text"`
	// New says that there is no such file yet.
	New bool `json:"new,omitempty"`
}

// BranchPlan is what creating a release branch does, all of it, decided before
// anything is done.
type BranchPlan struct {
	Series Series      `json:"series"`
	Rules  BranchRules `json:"rules"`
	// Commit is where the branch begins.
	Commit string `json:"commit"`
	// OnBranch is committed on the branch, OnMain proposed to the default one.
	OnBranch []FileEdit `json:"on_branch,omitempty"`
	OnMain   []FileEdit `json:"on_main,omitempty"`
	// Milestones that shall be open: the branch's, and the default branch's.
	Milestones []string `json:"milestones,omitempty"`
	// Contexts are status contexts that the branch's protection asks for in
	// place of those of the default branch; empty for one it does not ask for.
	Contexts map[string]string `json:"contexts,omitempty"`
	Items    []BranchItem      `json:"items"`
}

// BranchItem is one thing of the list that a person would go through.
type BranchItem struct {
	Name string `json:"name"` // branch, jobs, dashboards, …
	What string `json:"what"`
	// Skipped says why there is nothing to do.
	Skipped string `json:"skipped,omitempty"`
}

// Do adds an item that is done.
func (p *BranchPlan) Do(name, format string, args ...any) {
	p.Items = append(p.Items, BranchItem{Name: name, What: fmt.Sprintf(format, args...)})
}

// Skip adds an item that is not done, and why.
func (p *BranchPlan) Skip(name, format string, args ...any) {
	p.Items = append(p.Items, BranchItem{Name: name, Skipped: fmt.Sprintf(format, args...)})
}

// ProposalBranch is the branch of the change that is proposed to the default
// branch.
func (p BranchPlan) ProposalBranch() string { return "after-" + p.Series.Branch }

// Title is that of the commit on the branch and of the proposed change.
func (p BranchPlan) Title(main bool) string {
	if main {
		return fmt.Sprintf("Go on with %s after %s was branched", p.Series.Next().Version(), p.Series.Branch)
	}
	return "Set up " + p.Series.Branch
}

// Body describes the proposed change, in Markdown.
func (p BranchPlan) Body() string {
	var b strings.Builder
	fmt.Fprintf(&b, "`%s` was branched at %s. This is what `%s` needs to go on with %s, and to know of the branch:\n\n",
		p.Series.Branch, p.Commit, p.Series.DefaultBranch, p.Series.Next().Version())
	for _, i := range p.Items {
		if i.Skipped == "" {
			fmt.Fprintf(&b, "- %s: %s\n", i.Name, i.What)
		}
	}
	b.WriteString("\n```release-note\nNONE\n```\n")
	return b.String()
}

// String is the plan as people read it.
func (p BranchPlan) String() string {
	var b strings.Builder
	for _, i := range p.Items {
		if i.Skipped != "" {
			fmt.Fprintf(&b, "%s: skipped: %s\n", i.Name, i.Skipped)
			continue
		}
		fmt.Fprintf(&b, "%s: %s\n", i.Name, i.What)
	}
	return b.String()
}

// NewBranchPlan begins a plan with all that follows from the rules alone: the
// milestones and the texts replaced in files. files are those of the commit.
// The error says which rule cannot be followed.
func NewBranchPlan(s Series, rules BranchRules, commit string, files map[string]string) (BranchPlan, error) {
	p := BranchPlan{Series: s, Rules: rules, Commit: commit}
	p.Do("branch", "%s at %s", s.Branch, commit[:min(12, len(commit))])
	if rules.Milestone == "" {
		p.Skip("milestones", "the rules name none")
	} else {
		p.Milestones = []string{s.Expand(rules.Milestone), s.Next().Expand(rules.Milestone)}
		p.Do("milestones", "%s for %s, %s for %s", p.Milestones[0], s.Branch, p.Milestones[1], s.DefaultBranch)
	}
	if rules.Protection == "copy" {
		p.Do("protection", "as %s has it", s.DefaultBranch)
	} else {
		p.Skip("protection", "the rules say none")
	}
	if err := p.replace(files); err != nil {
		return BranchPlan{}, err
	}
	return p, nil
}

// replace makes the replacements. A file that holds the new text already, and
// not the old, is as it shall be.
func (p *BranchPlan) replace(files map[string]string) error {
	if len(p.Rules.Replace) == 0 {
		p.Skip("version", "the rules replace nothing: releases take their version from tags")
	}
	for _, r := range p.Rules.Replace {
		from, to := p.Series.Expand(r.From), p.Series.Expand(r.To)
		for _, on := range []string{"branch", "main"} {
			if r.Where != on && r.Where != "both" {
				continue
			}
			text, there := p.text(on, r.File, files)
			switch {
			case !there:
				return fmt.Errorf("%s, in which %q is to be replaced, is not in the repository: correct release.branches.replace", r.File, from)
			case strings.Contains(text, from):
				p.Edit(on, FileEdit{Path: r.File, Text: strings.ReplaceAll(text, from, to)})
				p.Do("version", "%s on %s: %s becomes %s", r.File, p.side(on), from, to)
			case strings.Contains(text, to):
				p.Skip("version", "%s on %s holds %s already", r.File, p.side(on), to)
			default:
				return fmt.Errorf("%s does not hold %q, which is to be replaced: correct release.branches.replace", r.File, from)
			}
		}
	}
	return nil
}

func (p *BranchPlan) side(on string) string {
	if on == "main" {
		return p.Series.DefaultBranch
	}
	return p.Series.Branch
}

// text is a file as the plan has it by now.
func (p *BranchPlan) text(on, path string, files map[string]string) (string, bool) {
	for _, e := range *p.edits(on) {
		if e.Path == path {
			return e.Text, true
		}
	}
	text, ok := files[path]
	return text, ok
}

func (p *BranchPlan) edits(on string) *[]FileEdit {
	if on == "main" {
		return &p.OnMain
	}
	return &p.OnBranch
}

// Edit puts a file into the plan, on "branch" or "main"; one that is there
// already is replaced.
func (p *BranchPlan) Edit(on string, e FileEdit) {
	edits := p.edits(on)
	for i := range *edits {
		if (*edits)[i].Path == e.Path {
			e.New = (*edits)[i].New
			(*edits)[i] = e
			return
		}
	}
	*edits = append(*edits, e)
}

// FastForward is what is known when a branch is to be moved on.
type FastForward struct {
	Series Series
	Prefix string   // of tags
	Tags   []string // all of them
	// BaseTag and MainTag are the newest tags that the merge base and the
	// default branch hold; empty for none.
	BaseTag, MainTag string
	// CutIssue is the open issue that the first final release is cut with;
	// empty for none.
	CutIssue string
	// Running is a cut or stage of the branch that is not over; empty for none.
	Running string
}

// CutTitle is the title of the issue that a series' first final release is cut
// with. Once it is open, what is on the branch is what is released.
func CutTitle(v Version) string { return fmt.Sprintf("Cut %s release", v) }

// Judge says whether a branch may be moved on to the default branch. done is why
// there is nothing to do any more; the error is a *Refusal.
func (f FastForward) Judge() (done string, err error) {
	first := f.Series.First(f.Prefix)
	for _, t := range f.Tags {
		if t == first.String() {
			return fmt.Sprintf("%s is released: %s takes picked changes alone", first, f.Series.Branch), nil
		}
	}
	if f.CutIssue != "" {
		return fmt.Sprintf("%s is being cut: %s", first, f.CutIssue), nil
	}
	refuse := func(format string, args ...any) error {
		return &Refusal{Kind: "fast-forward", Branch: f.Series.DefaultBranch + " to " + f.Series.Branch, Why: fmt.Sprintf(format, args...)}
	}
	if f.Running != "" {
		return "", refuse("%s: wait for it, resume it or abort it", f.Running)
	}
	if f.BaseTag != f.MainTag {
		return "", refuse("the newest version on %s is %s, and where the branches part %s: %s has gone on to the next release",
			f.Series.DefaultBranch, orNone(f.MainTag), orNone(f.BaseTag), f.Series.DefaultBranch)
	}
	return "", nil
}

func orNone(tag string) string {
	if tag == "" {
		return "none"
	}
	return tag
}
