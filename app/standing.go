package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"seaworthy/config"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/strict"
)

// broken reports whether an error says that the files of a configuration
// cannot be used, which trying again does not mend.
func broken(err error) bool { return len(strict.Problems(err)) > 0 }

// How many ancestors are asked for a configuration that can be used.
const mostAncestors = 100

// standing returns the configuration that counts at a commit: its own, or, if
// that cannot be used, that of the nearest ancestor whose can. So a broken
// file that was merged stops nobody, least of all the change that mends it.
// Without such an ancestor the repository is treated like one without files.
// An empty commit means the tip of the default branch.
func (a *App) standing(ctx context.Context, repo forge.RepoName, sha string) (Project, error) {
	if sha == "" {
		tip, err := a.defaultTip(ctx, repo)
		if err != nil {
			return Project{}, err
		}
		sha = tip
	}
	p, err := a.Project(ctx, repo, sha)
	if !broken(err) {
		return p, err
	}
	clone, err := a.clone(ctx, repo)
	if err != nil {
		return Project{}, err
	}
	out, err := clone.Git(ctx, "rev-list", "--first-parent", "--skip=1", fmt.Sprintf("--max-count=%d", mostAncestors), sha)
	if err != nil {
		return Project{}, fmt.Errorf("looking for the last configuration of %s that can be used: %w", repo, err)
	}
	for ancestor := range strings.FieldsSeq(out) {
		if p, err := a.projectIn(ctx, clone, repo, ancestor); !broken(err) {
			return p, err
		}
	}
	return bareProject(ctx, clone, sha, repo)
}

// bareProject is what can be said of a commit whatever its files hold.
func bareProject(ctx context.Context, clone *git.Repository, sha string, repo forge.RepoName) (Project, error) {
	p, err := defaultProject(ctx, clone, sha, repo)
	if !broken(err) {
		return p, err
	}
	d, err := Detect(ctx, clone, sha)
	if err != nil {
		return Project{}, err
	}
	d.Name = repo.Name
	own, err := config.Default(d)
	return Project{Project: own, Default: true}, err
}

// inspect tells people about a configuration that cannot be used, on the very
// commit that has it: a failing status in the name of the file, with the first
// problem. On a pull request it keeps the change from merging.
func (a *App) inspect(ctx context.Context, e forge.Event) error {
	sha := inspected(e)
	if sha == "" {
		return nil
	}
	_, err := a.Project(ctx, e.Repo, sha)
	if errors.Is(err, git.ErrNotFound) {
		return nil // gone again
	}
	if err != nil && !broken(err) {
		return err
	}
	want := forge.Status{Context: config.Name, State: forge.StatusSuccess, Description: "The configuration can be used."}
	if err != nil {
		want.State, want.Description = forge.StatusFailure, firstProblem(err)
		a.o.Log.Warn("a configuration that cannot be used", "repository", e.Repo.String(), "commit", sha, "error", err)
	}
	have, err := a.Forge.Statuses(ctx, e.Repo, sha)
	if err != nil {
		return err
	}
	was := forge.Status{State: forge.StatusSuccess, Description: want.Description} // nothing is said of what is well
	for _, s := range have {
		if s.Context == want.Context {
			was = s
		}
	}
	if was.State == want.State && was.Description == want.Description {
		return nil
	}
	return a.Forge.SetStatus(ctx, e.Repo, sha, want)
}

// inspected returns the commit whose configuration an event calls in question.
func inspected(e forge.Event) string {
	switch {
	case e.Kind == forge.EventPush && e.Push != nil && strings.HasPrefix(e.Push.Ref, "refs/heads/") && e.Push.After != git.ZeroSHA:
		return e.Push.After
	case e.Kind == forge.EventPullRequest && e.PullRequest != nil:
		switch e.Action {
		case "opened", "reopened", "synchronize", "ready_for_review":
			return e.PullRequest.Head.SHA
		}
	}
	return ""
}

// Statuses have room for this many characters.
const maxDescription = 140

func firstProblem(err error) string {
	all := strict.Problems(err)
	text, more := all[0].String(), ""
	if len(all) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(all)-1)
	}
	room := maxDescription - len(more)
	if r := []rune(text); len(r) > room {
		text = string(r[:room-1]) + "…"
	}
	return text + more
}
