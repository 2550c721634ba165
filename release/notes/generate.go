package notes

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"seaworthy/forge"
	"seaworthy/git"
)

// Git is the history to walk; *git.Repository is one.
type Git interface {
	Resolve(ctx context.Context, rev string) (string, error)
	MergeBase(ctx context.Context, a, b string) (string, error)
	Log(ctx context.Context, revRange string, o git.LogOptions) ([]git.Commit, error)
}

// Forge knows the pull requests.
type Forge interface {
	PullRequest(ctx context.Context, repo forge.RepoName, number int) (forge.PullRequest, error)
}

// Options say whose notes to generate.
type Options struct {
	Git   Git
	Forge Forge // nil for a history that has none: commit subjects only
	Repo  forge.RepoName
	From  string // revision of the previous release; empty means the beginning
	To    string // revision to be released
	// WebURL is where people look at the forge, "https://forge.example", for
	// authors' links. Empty takes it from the pull requests' own addresses.
	WebURL string
	// KeepBodies stores each pull request's body with its note.
	KeepBodies bool
	// Skip leaves out commits that are the release's own bookkeeping.
	Skip func(git.Commit) bool
}

// lookups bounds how many pull requests are asked for at once.
const lookups = 8

// Generate walks the first parents from the merge base of From and To up to To,
// finds the pull request of each commit and takes its note.
//
// Any answer the forge fails to give is an error naming the commit; only a
// clear "there is no such pull request" (forge.ErrNotFound), or a pull request
// that is younger than the commit, makes the commit one without a pull
// request: its history was imported from elsewhere. Such a commit is listed by
// its subject, and a merge of this kind by the subjects of what it merged.
func Generate(ctx context.Context, o Options) (Notes, error) {
	n := Notes{}
	var err error
	if n.To, err = o.Git.Resolve(ctx, o.To); err != nil {
		return Notes{}, fmt.Errorf("generating notes up to %s: %w", o.To, err)
	}
	span := n.To
	if o.From != "" {
		if n.From, err = o.Git.Resolve(ctx, o.From); err != nil {
			return Notes{}, fmt.Errorf("generating notes since %s: %w", o.From, err)
		}
		base, err := o.Git.MergeBase(ctx, n.From, n.To)
		if err != nil {
			return Notes{}, fmt.Errorf("generating notes from %s to %s: %w", o.From, o.To, err)
		}
		span = base + ".." + n.To
	}
	commits, err := o.Git.Log(ctx, span, git.LogOptions{FirstParent: true})
	if err != nil {
		return Notes{}, fmt.Errorf("generating notes from %s to %s: %w", o.From, o.To, err)
	}
	if o.Skip != nil {
		commits = slices.DeleteFunc(commits, o.Skip)
	}
	pulls, err := o.pulls(ctx, commits)
	if err != nil {
		return Notes{}, err
	}
	if err := n.collect(ctx, o, commits, pulls); err != nil {
		return Notes{}, err
	}
	return n, nil
}

// pull is the pull request behind a commit.
type pull struct {
	found  bool
	pr     forge.PullRequest
	origin *forge.PullRequest // what an automated cherry-pick picked
}

// pulls asks the forge for the pull request of every commit.
func (o Options) pulls(ctx context.Context, commits []git.Commit) ([]pull, error) {
	found := make([]pull, len(commits))
	if o.Forge == nil {
		return found, nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for i, c := range commits {
		number, origin := PullNumber(c.Message)
		if number == 0 {
			continue
		}
		g.Go(func() error {
			p, ok, err := o.lookUp(ctx, c, number)
			if err != nil || !ok {
				return err
			}
			found[i] = pull{found: true, pr: p}
			if origin == 0 {
				return nil
			}
			if p, ok, err = o.lookUp(ctx, c, origin); ok {
				found[i].origin = &p
			}
			return err
		})
	}
	return found, g.Wait()
}

func (o Options) lookUp(ctx context.Context, c git.Commit, number int) (forge.PullRequest, bool, error) {
	p, err := o.Forge.PullRequest(ctx, o.Repo, number)
	if errors.Is(err, forge.ErrNotFound) {
		return forge.PullRequest{}, false, nil
	}
	if err != nil {
		return forge.PullRequest{}, false, fmt.Errorf("finding the note of commit %.12s (%s): pull request #%d of %s: %w", c.SHA, c.Subject(), number, o.Repo, err)
	}
	// The number means another pull request, on the forge the history came
	// from, if this one did not exist when the commit was made.
	if p.MergeSHA != c.SHA && !p.CreatedAt.IsZero() && c.Committer.Time.Before(p.CreatedAt.Truncate(time.Second)) {
		return forge.PullRequest{}, false, nil
	}
	return p, true, nil
}

// collect turns commits and their pull requests into notes.
func (n *Notes) collect(ctx context.Context, o Options, commits []git.Commit, pulls []pull) error {
	seen := map[int]bool{}
	for i, c := range commits {
		if !pulls[i].found {
			subjects, err := o.subjects(ctx, c)
			if err != nil {
				return err
			}
			n.Subjects = append(n.Subjects, subjects...)
			continue
		}
		p := pulls[i].pr
		// A pull request merged by rebase has several commits.
		if seen[p.Number] {
			continue
		}
		seen[p.Number] = true
		n.PullRequests++
		v := Check(p.Body, p.Labels)
		if origin := pulls[i].origin; origin != nil && v.Outcome == MissingNote {
			v = Check(origin.Body, origin.Labels)
		}
		if v.Outcome == MissingNote || v.Outcome == InvalidNote {
			n.Problems = append(n.Problems, Problem{PRNumber: p.Number, Commit: c.SHA, Outcome: v.Outcome, Why: v.Why})
		}
		if note, ok := o.note(c, pulls[i], v); ok {
			n.Notes = append(n.Notes, note)
		}
	}
	sortNotes(n.Notes)
	return nil
}

func (o Options) note(c git.Commit, p pull, v Verdict) (Note, bool) {
	if v.Outcome != HasNote {
		return Note{}, false
	}
	pr := p.pr
	note := Note{
		Commit: c.SHA, Text: v.Text, Documentation: v.Docs,
		Author: pr.Author, PRURL: pr.HTMLURL, PRNumber: pr.Number,
		Areas: labelled(pr.Labels, "area"), Kinds: labelled(pr.Labels, "kind"), SIGs: labelled(pr.Labels, "sig"),
		ActionRequired: v.ActionRequired,
	}
	if p.origin != nil {
		// A bot opens cherry-picks; the credit is the author's.
		note.Author = p.origin.Author
	}
	note.AuthorURL = o.webURL(pr.HTMLURL) + "/" + note.Author
	if o.KeepBodies {
		note.PRBody = pr.Body
	}
	note.complete()
	return note, true
}

// complete derives the fields that follow from others.
func (n *Note) complete() {
	n.Feature = slices.Contains(n.Kinds, "feature")
	n.Duplicate = len(n.SIGs) > 1
	n.DuplicateKind = len(n.Kinds) > 1
	n.Markdown = n.line(true)
}

// webURL is the forge's address: what is before /OWNER/REPO/ in a link.
func (o Options) webURL(link string) string {
	if o.WebURL != "" {
		return strings.TrimRight(o.WebURL, "/")
	}
	before, _, _ := strings.Cut(link, "/"+o.Repo.String()+"/")
	return before
}

// labelled lists the values of labels like "sig/node", sorted.
func labelled(labels []string, prefix string) []string {
	var values []string
	for _, l := range labels {
		if v, ok := strings.CutPrefix(l, prefix+"/"); ok && v != "" {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// subjects lists a commit without a pull request; a merge by what it merged.
func (o Options) subjects(ctx context.Context, c git.Commit) ([]Subject, error) {
	commits := []git.Commit{c}
	if len(c.Parents) > 1 {
		merged, err := o.Git.Log(ctx, c.Parents[0]+".."+c.SHA, git.LogOptions{})
		if err != nil {
			return nil, fmt.Errorf("listing what commit %.12s merged: %w", c.SHA, err)
		}
		commits = slices.DeleteFunc(merged, func(m git.Commit) bool { return len(m.Parents) > 1 || o.Skip != nil && o.Skip(m) })
	}
	var subjects []Subject
	for _, c := range commits {
		number, _ := PullNumber(c.Message)
		subjects = append(subjects, Subject{Commit: c.SHA, Text: c.Subject(), Author: c.Author.Name, PR: number})
	}
	return subjects, nil
}

var (
	mergeSubject  = regexp.MustCompile(`^Merge pull request #([1-9][0-9]{0,8})\b`)
	pickBranch    = regexp.MustCompile(`automated-cherry-pick-of-#([1-9][0-9]{0,8})\b`)
	squashSubject = regexp.MustCompile(`\(#([1-9][0-9]{0,8})\)$`)
)

// PullNumber reads a commit message for the pull request it came through:
// "Merge pull request #N" begins a merge, "(#N)" ends the subject of a squash,
// of a revert ("Revert \"Add x (#7)\" (#9)" is 9) and of a commit picked to
// another branch. origin is the pull request that an automated cherry-pick
// brings to another branch, or 0.
func PullNumber(message string) (number, origin int) {
	subject, _, _ := strings.Cut(message, "\n")
	subject = strings.TrimSpace(subject)
	m := mergeSubject.FindStringSubmatch(subject)
	if m == nil {
		m = squashSubject.FindStringSubmatch(subject)
	}
	number = atoi(m)
	if o := atoi(pickBranch.FindStringSubmatch(subject)); number != 0 && o != number {
		origin = o
	}
	return number, origin
}

// atoi returns the first group of a match that is at most nine digits, or 0.
func atoi(match []string) int {
	if match == nil {
		return 0
	}
	n, err := strconv.Atoi(match[1])
	if err != nil {
		return 0
	}
	return n
}
