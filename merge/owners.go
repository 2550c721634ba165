package merge

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Owners answers who owns a path. It is built by Load, never changes, and may
// be used by many goroutines. Logins are lower case in all answers, aliases
// are expanded, and lists are sorted and free of duplicates.
type Owners struct {
	dirs map[string]ownersDir // by slash path without trailing slash; "" is the root
}

// ownersDir is what one OWNERS file says.
type ownersDir struct {
	rules          []rule
	noParentOwners bool
	// autoApproveUnowned: subfolders without owners of their own need no
	// approval.
	autoApproveUnowned bool
}

// rule is one list of people, for the whole folder (match is nil) or for the
// paths below it that match.
type rule struct {
	match     *regexp.Regexp
	approvers []string
	reviewers []string
	required  []string
	labels    []string
}

func (r rule) applies(relative string) bool {
	return r.match == nil || r.match.MatchString(relative)
}

// A field picks one list of a rule.
type field func(rule) []string

func approversOf(r rule) []string { return r.approvers }
func reviewersOf(r rule) []string { return r.reviewers }
func requiredOf(r rule) []string  { return r.required }
func labelsOf(r rule) []string    { return r.labels }

// OwnersDir returns the folder whose OWNERS file is responsible for the path:
// the deepest one that names an approver for it. The root is "", which is also
// the answer where nobody is named.
func (o *Owners) OwnersDir(file string) string {
	file = cleanPath(file)
	for d := file; d != ""; d = parent(d) {
		if len(o.at(d, file, approversOf)) > 0 {
			return d
		}
	}
	return ""
}

// ApproversFor lists everybody who may approve a change of the path: the
// approvers of its folder and of all folders above, up to the first one that
// names approvers and has no_parent_owners.
func (o *Owners) ApproversFor(file string) []string {
	return o.collect(file, approversOf, false)
}

// LeafApproversFor lists the approvers closest to the path: those of the
// deepest folder that names any.
func (o *Owners) LeafApproversFor(file string) []string {
	return o.collect(file, approversOf, true)
}

// ReviewersFor lists the reviewers of the path's folder and of all above, under
// the same rule as ApproversFor.
func (o *Owners) ReviewersFor(file string) []string {
	return o.collect(file, reviewersOf, false)
}

// LeafReviewersFor lists the reviewers closest to the path.
func (o *Owners) LeafReviewersFor(file string) []string {
	return o.collect(file, reviewersOf, true)
}

// RequiredReviewersFor lists the people who must be asked to review any change
// of the path (required_reviewers).
func (o *Owners) RequiredReviewersFor(file string) []string {
	return o.collect(file, requiredOf, false)
}

// LabelsFor lists the labels that a change of the path gets.
func (o *Owners) LabelsFor(file string) []string {
	return o.collect(file, labelsOf, false)
}

// NoParentOwners reports whether the folder's OWNERS file shuts out the owners
// of the folders above.
func (o *Owners) NoParentOwners(dir string) bool { return o.dirs[cleanPath(dir)].noParentOwners }

// Dirs lists the folders that have an OWNERS file, in order.
func (o *Owners) Dirs() []string {
	dirs := make([]string, 0, len(o.dirs))
	for d := range o.dirs {
		dirs = append(dirs, d)
	}
	slices.Sort(dirs)
	return dirs
}

// Among returns the same owners reduced to the given logins: approvers and
// reviewers who have left the project approve nothing. A nil list keeps
// everybody.
func (o *Owners) Among(logins []string) *Owners {
	if logins == nil {
		return o
	}
	known := make(map[string]bool, len(logins))
	for _, l := range logins {
		known[normLogin(l)] = true
	}
	keep := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(l string) bool { return !known[l] })
	}
	out := &Owners{dirs: make(map[string]ownersDir, len(o.dirs))}
	for d, dir := range o.dirs {
		rules := make([]rule, len(dir.rules))
		for i, r := range dir.rules {
			r.approvers, r.reviewers = keep(r.approvers), keep(r.reviewers)
			rules[i] = r
		}
		dir.rules = rules
		out.dirs[d] = dir
	}
	return out
}

// autoApproved reports whether the path needs no approval: the responsible
// folder approves its unowned subfolders, and the path lies in one.
func (o *Owners) autoApproved(file string) bool {
	file = cleanPath(file)
	dir := o.OwnersDir(file)
	return o.dirs[dir].autoApproveUnowned && parent(file) != dir
}

// collect gathers a list from the path upwards. With leaf it stops at the first
// folder that has any entry.
func (o *Owners) collect(file string, pick field, leaf bool) []string {
	file = cleanPath(file)
	var out []string
	for d := file; ; d = parent(d) {
		out = append(out, o.at(d, file, pick)...)
		if d == "" || len(out) > 0 && (leaf || o.dirs[d].noParentOwners) {
			break
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// at returns what the OWNERS file in dir says about the path below it.
func (o *Owners) at(dir, file string, pick field) []string {
	d, ok := o.dirs[dir]
	if !ok {
		return nil
	}
	relative := "."
	switch {
	case dir == "" && file != "":
		relative = file
	case len(file) > len(dir):
		relative = file[len(dir)+1:]
	}
	var out []string
	for _, r := range d.rules {
		if list := pick(r); len(list) > 0 && r.applies(relative) {
			out = append(out, list...)
		}
	}
	return out
}

// OwnersPaths lists the files that can have a say about the changed paths: the
// OWNERS file of every folder above each of them, and the root's aliases.
func OwnersPaths(changed []string) []string {
	seen := map[string]bool{"": true}
	for _, file := range changed {
		for d := parent(cleanPath(file)); d != ""; d = parent(d) {
			seen[d] = true
		}
	}
	out := []string{aliasesName}
	for d := range seen {
		out = append(out, path.Join(d, ownersName))
	}
	slices.Sort(out)
	return out
}

// cleanPath gives a slash path relative to the root, "" for the root itself.
func cleanPath(p string) string {
	p = strings.TrimPrefix(path.Clean("/"+p), "/")
	return p
}

// parent returns the folder of a clean path, "" above the root's entries.
func parent(p string) string {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return ""
	}
	return p[:i]
}

// normLogin gives the form in which logins are compared.
func normLogin(login string) string {
	return strings.ToLower(strings.TrimPrefix(strings.TrimSpace(login), "@"))
}
