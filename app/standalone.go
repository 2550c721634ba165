package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release/cut"
	"seaworthy/web"
)

// Standalone says how a repository that no platform serves is released.
type Standalone struct {
	// Clone is the repository that a command stands in.
	Clone *git.Repository
	// Name is what the repository is called where nothing else says so.
	Name forge.RepoName
	// To is where releases go, see ParseDestination; empty as the last time, or
	// the forge that the remote is on.
	To string
	// Remote is a remote of the clone, or the address of a repository, that
	// branches come from and tags go to: origin if empty.
	Remote string
	// Bucket is where files go, see OpenBucket; a folder in the state folder if
	// empty.
	Bucket string
	// Registry is where images go, HOST/PATH; without one a project that has
	// images cannot be released.
	Registry string
	// TokenFile holds the token for the forge's API; the environment if empty.
	TokenFile string
	// Getenv is os.Getenv when nil.
	Getenv func(string) string
}

// choices are what a state folder remembers, so that a run goes on where it
// began however it is resumed.
type choices struct {
	To       string `json:"to"`
	Remote   string `json:"remote,omitempty"`
	Bucket   string `json:"bucket,omitempty"`
	Registry string `json:"registry,omitempty"`
}

// alone is what a standalone platform has instead of a forge of its own.
type alone struct {
	Standalone
	chosen  choices
	to      Destination
	repo    forge.RepoName
	address string // of the repository for Git, without credentials
	auth    git.Auth
	forge   destination
}

// place names where releases go and where their parts do, in words that differ
// when any of it does.
func (c choices) place() string {
	at := c.To
	for _, part := range []struct{ word, value string }{{"tags", c.Remote}, {"files", c.Bucket}, {"images", c.Registry}} {
		if part.value != "" {
			at += ", " + part.word + " to " + part.value
		}
	}
	return at
}

// choicesFile marks a folder as the state of a standalone repository.
const choicesFile = "standalone.json"

// OpenStandalone prepares the services that releases need for one command, with
// state in a folder and no server. What belongs to a whole platform (runs of
// jobs, the merge queue, the embedded forge) is absent: those fields are nil.
func OpenStandalone(ctx context.Context, o Options, s Standalone) (_ *App, err error) {
	if _, err := git.Version(); err != nil {
		return nil, err
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, fmt.Errorf("finding the state folder: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if s.Getenv == nil {
		s.Getenv = os.Getenv
	}
	a := &App{o: o, Hub: &web.Hub{}, alone: &alone{Standalone: s}}
	if err := a.choose(ctx); err != nil {
		return nil, &ChoiceError{err} // nothing was made yet
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	for _, step := range []func(context.Context) error{a.openFolder, a.openStore, a.keepChoices, a.openAloneBucket, a.openDestination, a.openAloneReleases} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// choose works out where releases go, from flags, from the last time, and from
// the remote.
func (a *App) choose(ctx context.Context) error {
	s := a.alone
	last, err := readChoices(a.o.Dir)
	if err != nil {
		return err
	}
	s.chosen = last
	for _, c := range []struct {
		kept  *string
		given string
	}{{&s.chosen.Remote, s.Remote}, {&s.chosen.Bucket, s.Bucket}, {&s.chosen.Registry, s.Registry}} {
		if c.given != "" {
			*c.kept = c.given
		}
	}
	remote, err := s.remoteAddress(ctx)
	if err != nil {
		return err
	}
	clean, user, password := credentials(remote)
	if given, _, _ := credentials(s.chosen.Remote); given != s.chosen.Remote {
		// What is chosen is written down.
		return errors.New("--remote: leave the credentials out of the address, and give the token in the environment or in --token-file")
	}
	to := s.To
	if to == "" {
		to = last.To
	}
	here, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("finding the folder that a command stands in: %w", err)
	}
	if s.to, err = ParseDestination(to, clean, here, s.Getenv); err != nil {
		return err
	}
	s.repo = s.to.Repo
	if s.to.Kind == ToFolder && !s.repo.Valid() {
		s.repo = s.Name
	}
	if !s.repo.Valid() {
		return fmt.Errorf("nothing says what the repository is called at %s: write --to %s:%s/OWNER/NAME", s.to.Web, s.to.Kind, s.to.Web)
	}
	s.chosen.To = s.to.String()
	s.address = clean
	if password != "" {
		s.auth = git.Auth{User: user, Token: password}
	}
	return nil
}

// remoteAddress is what --remote names, else where origin is; empty if the clone
// has no such remote. Pushes go there, too.
func (s *alone) remoteAddress(ctx context.Context) (string, error) {
	name := s.chosen.Remote
	if name == "" {
		name = "origin"
	}
	out, err := s.Clone.Git(ctx, "config", "--get", "remote."+name+".url")
	switch {
	case err == nil:
		return strings.TrimSpace(out), nil
	case s.chosen.Remote == "":
		return "", nil
	}
	if _, onForge := parseSite(name); onForge {
		return name, nil
	}
	if i, err := os.Stat(name); err == nil && i.IsDir() {
		abs, err := filepath.Abs(name)
		if err != nil {
			return "", fmt.Errorf("finding the repository %s: %w", name, err)
		}
		s.chosen.Remote = abs
		return abs, nil
	}
	return "", fmt.Errorf("--remote: %q is no remote of this repository, no address and no folder", name)
}

// ChoiceError says that it is not clear where releases go.
type ChoiceError struct{ cause error }

// Error implements error.
func (e *ChoiceError) Error() string { return e.cause.Error() }

// Unwrap returns what is wrong.
func (e *ChoiceError) Unwrap() error { return e.cause }

// Remembers reports whether a folder holds the state of a standalone repository.
func Remembers(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, choicesFile))
	return err == nil
}

func readChoices(dir string) (choices, error) {
	var c choices
	text, err := os.ReadFile(filepath.Join(dir, choicesFile))
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		return c, fmt.Errorf("reading what was chosen before, in %s: %w", filepath.Join(dir, choicesFile), err)
	}
	return c, nil
}

// keepChoices remembers where releases go. What is under way to one place does
// not go on to another.
func (a *App) keepChoices(ctx context.Context) error {
	last, err := readChoices(a.o.Dir)
	if err != nil || last == a.alone.chosen {
		return err
	}
	if last.To != "" {
		runs, err := a.Store.Runs(ctx, flow.RunFilter{})
		if err != nil {
			return fmt.Errorf("looking for releases that are under way: %w", err)
		}
		for _, r := range runs {
			if !r.State.Final() || r.State == flow.Failed {
				return fmt.Errorf("%s %s is under way to %s: first end it with seaworthy release resume %[2]s or abort %[2]s, without --to, --remote, --bucket and --registry", r.Flow, r.ID, last.To)
			}
		}
	}
	text, err := json.MarshalIndent(a.alone.chosen, "", "  ")
	if err != nil {
		return fmt.Errorf("keeping what was chosen: %w", err)
	}
	next := a.dir(choicesFile + ".next")
	if err := os.WriteFile(next, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("keeping what was chosen: %w", err)
	}
	if err := os.Rename(next, a.dir(choicesFile)); err != nil {
		return fmt.Errorf("keeping what was chosen: %w", err)
	}
	return nil
}

// Where says in one line where state is and where releases go.
func (a *App) Where() string {
	if a.alone == nil {
		return "the platform in " + a.o.Dir
	}
	return fmt.Sprintf("%s is released to %s, with state in %s", a.alone.repo, strings.TrimSuffix(a.alone.to.String(), "/"+a.alone.repo.String()), a.o.Dir)
}

// IsStandalone reports whether this is a repository that no platform serves.
func (a *App) IsStandalone() bool { return a.alone != nil }

// Account is who a command acts as where no platform has accounts: the one that
// the forge's token belongs to, or, without a forge, the person at the keyboard.
func (a *App) Account(ctx context.Context, person string) (string, error) {
	if a.alone == nil || a.alone.forge.account == nil {
		return person, nil
	}
	u, err := a.alone.forge.account(ctx)
	return u.Login, err
}

func (a *App) openAloneReleases(ctx context.Context) error {
	s := a.alone
	a.clones.Seed = s.Clone.Dir
	builds, err := buildEnvironment(ctx)
	if err != nil {
		return err
	}
	builder, err := a.openSigner(ctx)
	if err != nil {
		return err
	}
	// Results of jobs count where somebody puts them into the bucket.
	if err := a.openSignal(ctx); err != nil {
		return err
	}
	instance, err := a.instance()
	if err != nil {
		return err
	}
	owner := instance + "-alone"
	kept, err := a.exclusive(journal{a.Store, a.publish}, owner)
	if err != nil {
		return err
	}
	a.engine = &flow.Engine{Journal: kept, Owner: owner, Now: a.o.Now, Boundary: a.o.Boundary}
	o := cut.Options{
		Forge: s.forge.forge, Pages: s.forge.pages, Pulls: s.forge.pulls, Git: a.clones, Auth: s.auth, Bucket: a.Bucket, Engine: a.engine,
		Signer: a.signer, Verifier: a.verifier, PublicKey: a.publicKey, Builder: builder, Version: a.o.Version, Destination: s.chosen.place(),
		Tracker: s.forge.tracker, Changes: s.forge.changes, Protections: s.forge.protections, Branching: a.branchPlan,
		OpenBucket: OpenBucket, TagKey: a.tagKey, Exclusive: a.hold, Project: a.aloneProject, WorkDir: a.dir(workDir), BuildCache: builds,
	}
	if s.chosen.Registry != "" {
		o.Registry = cut.Registry{Address: a.registryAddress}
	}
	if s.to.Web != "" {
		o.SourceURL = func(repo forge.RepoName) string { return s.to.Web + "/" + repo.String() }
		o.DownloadURL = func(repo forge.RepoName, version string) string {
			return fmt.Sprintf("%s/%s/releases/download/%s", s.to.Web, repo, version)
		}
		o.PageURL = func(repo forge.RepoName, version string) string {
			return fmt.Sprintf("%s/%s/releases/tag/%s", s.to.Web, repo, version)
		}
	} else if at, ok := parseSite(s.address); ok {
		o.SourceURL = func(repo forge.RepoName) string { return at.web + "/" + repo.String() }
	}
	if err := a.speak(&o); err != nil {
		return err
	}
	a.Releases, err = cut.New(o)
	return err
}

// aloneProject is a.releaseProject, with what a repository that stands alone
// does otherwise: the tags are the person's, and a module that says nothing is
// released from its default branch.
func (a *App) aloneProject(ctx context.Context, repo forge.RepoName, commit string) (cut.Project, error) {
	p, err := a.releaseProject(ctx, repo, commit)
	if err != nil {
		return p, err
	}
	if len(p.Images) > 0 && a.alone.chosen.Registry == "" {
		return p, fmt.Errorf("%w: the project has images, and nothing says where they go: add --registry HOST/PATH", forge.ErrInvalid)
	}
	if name, email := a.person(ctx); name != "" && email != "" {
		p.Tagger = cut.Identity{Name: name, Email: email}
	}
	if a.alone.to.Kind == ToFolder && a.alone.forge.inHouse {
		// Its branches follow the clone's, which a commit of its own would part
		// them from.
		p.NoChangelog = true
	}
	full, err := a.Project(ctx, repo, commit)
	if err != nil || !full.Default {
		return p, err
	}
	clone, err := a.clone(ctx, repo)
	if err != nil {
		return p, err
	}
	refs, err := clone.Refs(ctx, "refs/heads")
	if err != nil {
		return p, fmt.Errorf("reading the branches: %w", err)
	}
	p.Policy.Trunk = true
	for _, r := range refs {
		if _, ok := p.Policy.ParseBranch(strings.TrimPrefix(r.Name, "refs/heads/")); ok {
			p.Policy.Trunk = false
		}
	}
	return p, nil
}

// person is whose name the tags carry: that in the Git configuration, or who
// started the workflow that a runner works for.
func (a *App) person(ctx context.Context) (name, email string) {
	name, email = git.OwnIdentity(ctx, a.alone.Clone.Dir)
	if actor := a.alone.Getenv("GITHUB_ACTOR"); name == "" && email == "" && actor != "" {
		host := "localhost"
		if at, ok := parseSite(a.alone.Getenv("GITHUB_SERVER_URL") + "/owner/name"); ok {
			host = at.host
		}
		return actor, actor + "@users.noreply." + host
	}
	return name, email
}
