package merge

import (
	"cmp"
	"slices"

	"seaworthy/forge"
)

// ReviewersWanted says whom to suggest as reviewers.
type ReviewersWanted struct {
	Author string
	// Count of suggestions, beside required reviewers.
	Count int
	// Have are people asked already, Excluding others not to ask.
	Have, Excluding []string
	// Among are the logins that can be asked at all.
	Among []string
	// Seed spreads requests over equally fit people.
	Seed int
}

// SuggestReviewers picks whom to ask for a review: all required reviewers of
// the changed files, and of the closest reviewers those whose files change
// most.
func SuggestReviewers(o *Owners, files []forge.FileChange, w ReviewersWanted) []string {
	fit := func(login string) bool {
		return login != normLogin(w.Author) && IsCollaborator(login, w.Among) &&
			!IsCollaborator(login, w.Have) && !IsCollaborator(login, w.Excluding)
	}
	var required []string
	weight := map[string]int{}
	var names []string
	for _, f := range files {
		for _, r := range o.RequiredReviewersFor(f.Path) {
			if fit(r) {
				required = union(required, []string{r})
			}
		}
		for _, r := range o.LeafReviewersFor(f.Path) {
			if fit(r) {
				weight[r] += 1 + f.Additions + f.Deletions
				names = union(names, []string{r})
			}
		}
	}
	names = rotate(slices.DeleteFunc(names, func(n string) bool { return slices.Contains(required, n) }), w.Seed)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(weight[b], weight[a]) })
	return append(required, names[:min(max(w.Count, 0), len(names))]...)
}

// rotate returns the list begun at another place.
func rotate(names []string, seed int) []string {
	if len(names) == 0 {
		return nil
	}
	turn := seed % len(names)
	if turn < 0 {
		turn += len(names)
	}
	return append(slices.Clone(names[turn:]), names[:turn]...)
}
