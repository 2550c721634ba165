package merge

import "slices"

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
