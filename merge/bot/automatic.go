package bot

import (
	"context"
	"fmt"
	"regexp"

	"seaworthy/forge"
	"seaworthy/merge"
)

// automatic sets every label that follows from the state of the pull request,
// and the comment that explains its approval.
func (t *turn) automatic(ctx context.Context) error {
	t.labels.set(labelWIP, t.pr.Draft || wipTitle.MatchString(t.pr.Title))
	t.labels.needsRebase(*t.pr)
	t.releaseNote()
	files, err := t.changed(ctx)
	if err != nil {
		return err
	}
	t.size(files)
	reviews, err := t.bot.opt.Forge.Reviews(ctx, t.repo, t.number)
	if err != nil {
		return err
	}
	if err := t.lgtm(ctx, reviews); err != nil {
		return err
	}
	return t.approval(ctx, files, reviews)
}

// wipTitle matches "WIP: …", "[WIP] …", "wip …", but not "wipe …".
var wipTitle = regexp.MustCompile(`(?i)^\W?WIP\b`)

// releaseNote follows the description's block. A label set by /release-note-none
// stays while the description says nothing.
func (t *turn) releaseNote() {
	if !t.policy.ReleaseNotes {
		return
	}
	note := t.bot.opt.Note(t.pr.Body)
	if note == NoteMissing && t.labels.has(labelNoteNone) {
		note = NoteNone
	}
	t.labels.set(labelNote, note == NoteGiven)
	t.labels.set(labelNoteActionRequire, note == NoteActionRequired)
	t.labels.set(labelNoteNone, note == NoteNone)
	t.labels.set(labelNoteNeeded, note == NoteMissing)
}

// sizeClass is a label for changes of fewer than a number of lines.
type sizeClass struct {
	label string
	below int // 0: no bound
}

// sizes are those of Prow.
var sizes = []sizeClass{
	{"size/XS", 10}, {"size/S", 30}, {"size/M", 100}, {"size/L", 500}, {"size/XL", 1000}, {"size/XXL", 0},
}

func (s sizeClass) describe() string {
	if s.below == 0 {
		return "Changes 1000 lines or more."
	}
	return fmt.Sprintf("Changes fewer than %d lines.", s.below)
}

func (t *turn) size(files []forge.FileChange) {
	lines := 0
	for _, f := range files {
		lines += f.Additions + f.Deletions
	}
	found := false
	for _, s := range sizes {
		fits := !found && (s.below == 0 || lines < s.below)
		t.labels.set(s.label, fits)
		found = found || fits
	}
}

// addOwnersLabels adds the labels that OWNERS files give their folders. They
// are never taken away here: somebody may have had a reason.
func (t *turn) addOwnersLabels(ctx context.Context) error {
	owners, err := t.ownership(ctx)
	if err != nil {
		return err
	}
	for _, p := range paths(t.files) {
		for _, l := range owners.LabelsFor(p) {
			t.labels.add(l)
		}
	}
	return nil
}

// requestReviews asks reviewers from the OWNERS files, once: a pull request
// that has reviewers already is left alone, but for required_reviewers.
func (t *turn) requestReviews(ctx context.Context) error {
	if t.pr.Draft || t.policy.Reviewers <= 0 {
		return nil
	}
	owners, err := t.ownership(ctx)
	if err != nil {
		return err
	}
	ask := merge.SuggestReviewers(owners, t.files, merge.ReviewersWanted{
		Author:    t.pr.Author,
		Count:     t.policy.Reviewers - len(t.pr.Reviewers),
		Have:      t.pr.Reviewers,
		Among:     t.collaborators,
		Seed:      t.number,
		Excluding: []string{t.bot.opt.Login},
	})
	if len(ask) == 0 {
		return nil
	}
	return t.request(ctx, ask)
}

// request asks people for a review. Those the forge refuses are named to the
// reader rather than failing the event.
func (t *turn) request(ctx context.Context, logins []string) error {
	err := t.bot.opt.Forge.RequestReviewers(ctx, t.repo, t.number, logins)
	if err == nil {
		t.pr.Reviewers = append(t.pr.Reviewers, logins...)
		return nil
	}
	if forgeRefused(err) {
		t.bot.opt.Log.Warn("cannot request reviews", "repo", t.repo, "pull", t.number, "logins", logins, "error", err)
		return nil
	}
	return err
}

// admit marks a pull request by somebody the project does not know: its tests
// wait for /ok-to-test.
func (t *turn) admit() {
	stranger := !t.isCollaborator(t.pr.Author) && !t.bot.own(t.pr.Author)
	t.labels.set(labelNeedsOKToTest, stranger && !t.labels.has(labelOKToTest))
}
