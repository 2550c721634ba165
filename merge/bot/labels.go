package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"seaworthy/forge"
	"seaworthy/merge"
)

// Labels the bot gives and takes.
const (
	labelLGTM              = "lgtm"
	labelApproved          = "approved"
	labelHold              = "do-not-merge/hold"
	labelWIP               = "do-not-merge/work-in-progress"
	labelNoteNeeded        = "do-not-merge/release-note-label-needed"
	labelNote              = "release-note"
	labelNoteActionRequire = "release-note-action-required"
	labelNoteNone          = "release-note-none"
	labelOKToTest          = "ok-to-test"
	labelNeedsOKToTest     = "needs-ok-to-test"
)

// Labels lists the labels the bot works with, for setting up a repository.
func Labels() []forge.Label {
	const good, bad, info, size = "0e8a16", "b60205", "c5def5", "ededed"
	out := []forge.Label{
		{Name: labelLGTM, Color: good, Description: "A reviewer says that it looks good."},
		{Name: labelApproved, Color: good, Description: "The owners of all changed files approve."},
		{Name: labelHold, Color: bad, Description: "Somebody asked not to merge it yet."},
		{Name: labelWIP, Color: bad, Description: "A draft, or marked WIP in its title."},
		{Name: labelNoteNeeded, Color: bad, Description: "The description lacks a release note, or the word that there is none."},
		{Name: merge.LabelNeedsRebase, Color: bad, Description: "It conflicts with its base branch."},
		{Name: labelNeedsOKToTest, Color: bad, Description: "A collaborator has to allow tests first."},
		{Name: labelOKToTest, Color: good, Description: "A collaborator allowed tests."},
		{Name: labelNote, Color: info, Description: "It has a release note."},
		{Name: labelNoteActionRequire, Color: info, Description: "Its release note asks users to act."},
		{Name: labelNoteNone, Color: info, Description: "It has nothing for the release notes."},
		{Name: merge.LabelMerge, Color: info, Description: "Lands as a merge commit."},
		{Name: merge.LabelSquash, Color: info, Description: "Lands as one commit."},
		{Name: merge.LabelRebase, Color: info, Description: "Lands commit by commit."},
		{Name: merge.LabelBlocker, Color: bad, Description: "While this issue is open, nothing merges."},
	}
	for _, s := range sizes {
		out = append(out, forge.Label{Name: s.label, Color: size, Description: s.describe()})
	}
	return out
}

// EnsureLabels creates those of Labels that the repository lacks.
func (b *Bot) EnsureLabels(ctx context.Context, repo forge.RepoName) error {
	have, err := b.opt.Forge.Labels(ctx, repo)
	if err != nil {
		return fmt.Errorf("set up the labels of %s: %w", repo, err)
	}
	for _, l := range Labels() {
		if slices.ContainsFunc(have, func(h forge.Label) bool { return strings.EqualFold(h.Name, l.Name) }) {
			continue
		}
		if err := b.opt.Forge.CreateLabel(ctx, repo, l); err != nil && !errors.Is(err, forge.ErrExists) {
			return fmt.Errorf("set up the label %s of %s: %w", l.Name, repo, err)
		}
	}
	return nil
}

// labels are the labels of a pull request as they are and as they shall be.
type labels struct {
	had  []string
	want []string
}

func newLabels(had []string) *labels {
	return &labels{had: had, want: slices.Clone(had)}
}

func (l *labels) has(name string) bool {
	return slices.ContainsFunc(l.want, func(h string) bool { return strings.EqualFold(h, name) })
}

func (l *labels) add(name string) {
	if !l.has(name) {
		l.want = append(l.want, name)
	}
}

func (l *labels) remove(name string) {
	l.want = slices.DeleteFunc(l.want, func(h string) bool { return strings.EqualFold(h, name) })
}

// set adds or removes a label.
func (l *labels) set(name string, on bool) {
	if on {
		l.add(name)
	} else {
		l.remove(name)
	}
}

// needsRebase says whether the pull request conflicts, if the forge knows.
func (l *labels) needsRebase(pr forge.PullRequest) {
	if pr.Mergeability != forge.MergeUnknown {
		l.set(merge.LabelNeedsRebase, pr.Mergeability == forge.MergeConflict)
	}
}

// apply asks the forge for the difference.
func (l *labels) apply(ctx context.Context, f Talk, repo forge.RepoName, number int) error {
	had := newLabels(l.had)
	var missing []string
	for _, w := range l.want {
		if !had.has(w) {
			missing = append(missing, w)
		}
	}
	// What holds a change back is added before anything is taken away, so
	// that no moment looks ready that is not.
	if len(missing) > 0 {
		if err := f.AddLabels(ctx, repo, number, missing...); err != nil {
			return err
		}
	}
	for _, h := range l.had {
		if !l.has(h) {
			if err := f.RemoveLabel(ctx, repo, number, h); err != nil {
				return err
			}
		}
	}
	l.had = slices.Clone(l.want)
	return nil
}
