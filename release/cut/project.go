package cut

import (
	"errors"
	"fmt"

	"seaworthy/artifact"
	"seaworthy/artifact/build"
	"seaworthy/release"
	"seaworthy/release/announce"
)

// Project is how a repository wants to be released, as its configuration says
// at the commit that is released. It is recorded with the stage, so that the
// cut follows the same rules.
type Project struct {
	Name   string         `json:"name"` // begins every archive's name
	Policy release.Policy `json:"policy"`
	Build  Build          `json:"build"`
	// Images and Packages are made of what was built.
	Images   []artifact.ImageSpec   `json:"images,omitempty"`
	Packages []artifact.PackageSpec `json:"packages,omitempty"`
	// Approvals are the roles that must each approve a real cut.
	Approvals []string `json:"approvals,omitempty"`
	// Rehearse demands a mock cut of the same build that went through.
	Rehearse bool `json:"rehearse,omitempty"`
	// Issue goes with every release; nil for none.
	Issue *Issue `json:"issue,omitempty"`
	// Mail tells of every release; nil for none.
	Mail *Mail `json:"mail,omitempty"`
	// Announcement is the template that it is told by; the built-in one when
	// empty. See announce.CheckTemplate.
	Announcement string `json:"announcement,omitempty"`
	// Chat is the channel that shows a release's timeline; empty for none.
	Chat string `json:"chat,omitempty"`
	// After is what follows a release.
	After After `json:"after,omitzero"`
	// FastForward is how a release branch moves on; see release.BranchRules.
	FastForward string `json:"fast_forward,omitempty"`
	// NoChangelog keeps the changelog out of the repository.
	NoChangelog bool `json:"no_changelog,omitempty"`
	// Tags says whether and with which key tags are signed.
	Tags TagSigning `json:"tags,omitzero"`
	// Tagger signs tags and changelog commits.
	Tagger Identity `json:"tagger"`
}

// Identity is a name and an address in Git's sense.
type Identity struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Build says how the archives are made; see build.Request for each field.
type Build struct {
	Main      []string            `json:"main,omitempty"`
	LDFlags   string              `json:"ldflags,omitempty"`
	Command   *build.Command      `json:"command,omitempty"`
	Platforms []artifact.Platform `json:"platforms,omitempty"`
	Env       []string            `json:"env,omitempty"`
	Files     []string            `json:"files,omitempty"`
	Formats   []build.Format      `json:"formats,omitempty"`
	// Source adds an archive of the source tree.
	Source   bool `json:"source,omitempty"`
	Parallel int  `json:"parallel,omitempty"`
}

// programs reports whether there is something to build. A library has nothing
// and is released as source alone.
func (b Build) programs() bool { return len(b.Main) > 0 || b.Command != nil || !b.Source }

// validate reports what a release cannot be made with.
func (p Project) validate() error {
	if err := artifact.CheckName(p.Name); err != nil {
		return fmt.Errorf("the project's name: %w", err)
	}
	if p.Tagger.Name == "" || p.Tagger.Email == "" {
		return errors.New("the project names nobody, with name and email, to sign its tags")
	}
	if err := p.Tags.validate(); err != nil {
		return err
	}
	if err := announce.CheckTemplate(p.Announcement); err != nil {
		return fmt.Errorf("the template of the announcement: %w", err)
	}
	return p.Policy.Validate()
}
