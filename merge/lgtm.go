package merge

import (
	"slices"
	"strings"
	"time"

	"seaworthy/forge"
)

// Reviewed is a change as far as lgtm depends on it.
type Reviewed struct {
	Author   string
	Comments []forge.Comment
	Reviews  []forge.Review
	// Since is when the content last changed; what was said before does not
	// count. Forges tell time in whole seconds, so what was said in that
	// very second does.
	Since time.Time
	// Collaborators may say lgtm, Bot is a login that may not.
	Collaborators []string
	Bot           string
	// ReviewActs: the verdict of a review speaks for lgtm.
	ReviewActs bool
}

// LGTM replays what people said since the content last changed, in order of
// time. It returns who says that the change looks good, "" when nobody does.
func LGTM(r Reviewed) (by string) {
	since := r.Since.Truncate(time.Second)
	for _, s := range utterances(r.Comments, r.Reviews) {
		if s.at.Before(since) || r.Bot != "" && normLogin(s.author) == normLogin(r.Bot) {
			continue
		}
		may, _ := MayLGTM(r.Author, s.author, r.Collaborators)
		mayCancel := may || normLogin(s.author) == normLogin(r.Author)
		switch {
		case r.ReviewActs && may && s.state == forge.ReviewApproved:
			by = s.author
		case r.ReviewActs && may && s.state == forge.ReviewChangesRequested:
			by = ""
		}
		for _, c := range ParseCommands(s.body) {
			switch lgtmEffect(c) {
			case grant:
				if may {
					by = s.author
				}
			case revoke:
				if mayCancel {
					by = ""
				}
			}
		}
	}
	return by
}

// lgtmEffect says what a command does to lgtm. "/lgtm once the typo is gone" is
// talk, not a verdict.
func lgtmEffect(c Command) effect {
	switch {
	case c.Name == "remove-lgtm", c.Name == "lgtm" && strings.EqualFold(c.Args, "cancel"):
		return revoke
	case c.Name == "lgtm" && (c.Args == "" || strings.EqualFold(c.Args, "no-issue")):
		return grant
	}
	return none
}

// MayLGTM reports whether actor may say that the author's change looks good:
// a collaborator, and not the author. When not, why is a sentence for the
// actor.
func MayLGTM(author, actor string, collaborators []string) (ok bool, why string) {
	if normLogin(author) == normLogin(actor) {
		return false, "you cannot give /lgtm to your own change: ask one of its reviewers."
	}
	if !IsCollaborator(actor, collaborators) {
		return false, "/lgtm counts from collaborators of this repository only."
	}
	return true, ""
}

// KeepsLGTM reports whether a push leaves lgtm in place: what was reviewed, by
// the hash of its tree, is what is there now. Unknown trees are never equal.
func KeepsLGTM(reviewedTree, pushedTree string) bool {
	return reviewedTree != "" && reviewedTree == pushedTree
}

// IsCollaborator reports whether the login is in the list, without regard to
// case.
func IsCollaborator(login string, collaborators []string) bool {
	return slices.ContainsFunc(collaborators, func(c string) bool { return normLogin(c) == normLogin(login) })
}
