package merge

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"seaworthy/forge"
)

// Change is a pull request as far as its approval depends on it.
type Change struct {
	Author   string
	Files    []string // changed paths; for a rename both names
	Comments []forge.Comment
	Reviews  []forge.Review
	// ByHand is the login of the person who added the label "approved"
	// directly, which overrules the OWNERS files. Empty when nobody did.
	ByHand string
	// Prefer are logins to suggest before others: assignees and requested
	// reviewers.
	Prefer []string
	// Seed spreads suggestions over equally fit people; the pull request's
	// number serves well.
	Seed int
}

// ApprovalPolicy is what a repository may choose. The zero value is Prow's
// default.
type ApprovalPolicy struct {
	// RequireSelfApproval: authors who are approvers say /approve like
	// everybody else. Otherwise opening the change approves it.
	RequireSelfApproval bool
	// LGTMActsAsApprove: /lgtm by an approver approves.
	LGTMActsAsApprove bool
	// IgnoreReviewState: only comments count, not the verdict of a review.
	IgnoreReviewState bool
	// Bot is a login whose comments say nothing.
	Bot string
}

// Approval says whether a change has the approval of its owners, and how.
type Approval struct {
	Approved bool
	// Files has one entry for each changed path, in order.
	Files []FileApproval
	// Dirs are the folders whose owners decide, in order: those of the
	// files, without folders that another of them contains.
	Dirs []DirApproval
	// Grants are the approvals that stand, also of people who own nothing
	// here, in the order of logins.
	Grants []Grant
	// Suggested is the smallest set of people, found by search, whose
	// approval would complete the change. Empty when it is approved, and
	// when nobody could.
	Suggested []string
	ByHand    string // see Change
}

// FileApproval is the state of one changed path.
type FileApproval struct {
	Path string
	// OwnersDir is the folder of the responsible OWNERS file; "" is the root.
	OwnersDir string
	// DecidedBy is the folder whose approval covers the file: OwnersDir, or
	// one above it that is asked anyway.
	DecidedBy string
	// Approvers may approve the file; ApprovedBy are those who have.
	Approvers  []string
	ApprovedBy []string
	// Automatic files need nobody (auto_approve_unowned_subfolders).
	Automatic bool
}

// DirApproval is the state of one folder whose owners decide.
type DirApproval struct {
	Dir        string
	Approved   bool
	Approvers  []string // the closest ones
	ApprovedBy []string
	Files      int // how many files it decides about
}

// Grant is one standing approval.
type Grant struct {
	Login string // as the forge writes it
	How   string // "/approve", "/lgtm", "review", "author"
	At    time.Time
	URL   string
}

// Approve replays what people said, in order of time, and judges the change:
// it is approved when it has a file, and every file in a folder that decides
// has an approver among the owners from its folder to the root; or by hand.
// An approval survives later pushes.
func Approve(o *Owners, c Change, p ApprovalPolicy) Approval {
	grants := replay(c, p)
	a := Approval{Grants: sortedGrants(grants), ByHand: c.ByHand}
	kept := decidingDirs(o, c.Files)
	dirs := map[string]*DirApproval{}
	for _, d := range kept {
		dirs[d] = &DirApproval{Dir: d, Approved: true}
	}
	var open []FileApproval
	for _, file := range c.Files {
		f := fileApproval(o, file, kept, grants)
		a.Files = append(a.Files, f)
		if f.Automatic {
			continue
		}
		d := dirs[f.DecidedBy]
		d.Files++
		if f.DecidedBy != f.OwnersDir {
			continue // the owners above are asked anyway, for another file
		}
		d.Approvers = union(d.Approvers, o.LeafApproversFor(file))
		d.ApprovedBy = union(d.ApprovedBy, f.ApprovedBy)
		if len(f.ApprovedBy) == 0 {
			d.Approved = false
			open = append(open, f)
		}
	}
	for _, d := range kept {
		a.Dirs = append(a.Dirs, *dirs[d])
	}
	a.Approved = len(c.Files) > 0 && len(open) == 0 || c.ByHand != ""
	if !a.Approved {
		a.Suggested = suggest(o, c, open)
	}
	return a
}

// decidingDirs returns the folders responsible for the files, without those
// below another one of them. A folder with no_parent_owners stays, because the
// owners above have no say in it.
func decidingDirs(o *Owners, files []string) []string {
	all := map[string]bool{}
	for _, f := range files {
		if !o.autoApproved(f) {
			all[o.OwnersDir(f)] = true
		}
	}
	within := func(d string) bool { return all[d] }
	var kept []string
	for d := range all {
		if decider(o, d, within) == d {
			kept = append(kept, d)
		}
	}
	slices.Sort(kept)
	return kept
}

// decider climbs from a folder to the highest one of the set that it reaches
// without passing no_parent_owners.
func decider(o *Owners, dir string, within func(string) bool) string {
	top := dir
	for d := dir; d != "" && !o.NoParentOwners(d); {
		d = parent(d)
		if within(d) {
			top = d
		}
	}
	return top
}

func fileApproval(o *Owners, file string, kept []string, grants map[string]Grant) FileApproval {
	f := FileApproval{
		Path:      file,
		OwnersDir: o.OwnersDir(file),
		Approvers: o.ApproversFor(file),
		Automatic: o.autoApproved(file),
	}
	f.DecidedBy = decider(o, f.OwnersDir, func(d string) bool { return slices.Contains(kept, d) })
	for _, login := range f.Approvers {
		if _, ok := grants[login]; ok {
			f.ApprovedBy = append(f.ApprovedBy, login)
		}
	}
	return f
}

// utterance is one comment or review.
type utterance struct {
	author, body, url string
	at                time.Time
	state             forge.ReviewState // of a review
}

// utterances brings comments and reviews into one order of time.
func utterances(comments []forge.Comment, reviews []forge.Review) []utterance {
	var all []utterance
	for _, c := range comments {
		all = append(all, utterance{author: c.Author, body: c.Body, url: c.HTMLURL, at: c.CreatedAt})
	}
	for _, r := range reviews {
		all = append(all, utterance{author: r.Author, body: r.Body, at: r.SubmittedAt, state: r.State})
	}
	slices.SortStableFunc(all, func(a, b utterance) int { return a.at.Compare(b.at) })
	return all
}

// replay returns who approves after everything that was said, by login.
func replay(c Change, p ApprovalPolicy) map[string]Grant {
	grants := map[string]Grant{}
	if !p.RequireSelfApproval && c.Author != "" {
		grants[normLogin(c.Author)] = Grant{Login: c.Author, How: "author"}
	}
	for _, s := range utterances(c.Comments, c.Reviews) {
		who := normLogin(s.author)
		if who == "" || p.Bot != "" && who == normLogin(p.Bot) {
			continue
		}
		switch {
		case p.IgnoreReviewState:
		case s.state == forge.ReviewApproved:
			grants[who] = Grant{Login: s.author, How: "review", At: s.at, URL: s.url}
		case s.state == forge.ReviewChangesRequested:
			delete(grants, who)
		}
		for _, cmd := range ParseCommands(s.body) {
			switch approvalEffect(cmd, p) {
			case grant:
				grants[who] = Grant{Login: s.author, How: "/" + cmd.Name, At: s.at, URL: s.url}
			case revoke:
				delete(grants, who)
			}
		}
	}
	return grants
}

// effect is what a command does to a standing word of its author.
type effect int

const (
	none effect = iota
	grant
	revoke
)

// approvalEffect says what a command does to its author's approval.
func approvalEffect(c Command, p ApprovalPolicy) effect {
	switch {
	case c.Name == "remove-approve", c.Name == "approve" && strings.EqualFold(c.Args, "cancel"):
		return revoke
	case c.Name == "approve" && (c.Args == "" || strings.EqualFold(c.Args, "no-issue")):
		return grant
	case p.LGTMActsAsApprove:
		return lgtmEffect(c)
	}
	return none
}

func sortedGrants(m map[string]Grant) []Grant {
	out := make([]Grant, 0, len(m))
	for _, g := range m {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b Grant) int { return cmp.Compare(normLogin(a.Login), normLogin(b.Login)) })
	return out
}

func union(a, b []string) []string {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}
