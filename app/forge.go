package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"seaworthy/forge"
	"seaworthy/forge/github"
	"seaworthy/forge/local"
	"seaworthy/job"
	"seaworthy/job/run"
	"seaworthy/merge/bot"
)

// Accounts of the embedded forge that the platform makes for itself.
const (
	// BotLogin acts for the platform.
	BotLogin = "seaworthy-bot"
	// AdminLogin is the person at the keyboard; the token is in the folder
	// secrets.
	AdminLogin = "admin"
)

func (a *App) openForge(ctx context.Context) error {
	// Of servers that share the folders and start at once, one makes what is in them.
	leave, err := a.hold(ctx, "opening the forge")
	if err != nil {
		return err
	}
	defer leave()
	name, err := a.owner()
	if err != nil {
		return err
	}
	f, err := local.New(local.Options{DB: a.Store, GitDir: a.dir(gitDir), BaseURL: a.url, Self: a.self, Name: name, Exclusive: a.hold, Now: a.o.Now, Log: a.o.Log})
	if err != nil {
		return err
	}
	a.embedded = f
	token, err := a.account(ctx, forge.User{Login: BotLogin, Name: "Seaworthy", Email: BotLogin + "@localhost", Bot: true}, true)
	if err != nil {
		return err
	}
	if _, err := a.account(ctx, forge.User{Login: AdminLogin, Name: "Administrator", Email: AdminLogin + "@localhost"}, true); err != nil {
		return err
	}
	a.Forge, err = a.Client(token)
	return err
}

// account returns the token of an account, which is made when missing.
func (a *App) account(ctx context.Context, u forge.User, admin bool) (string, error) {
	return a.secrets.get(u.Login+"-token", func() (string, error) { return a.AddUser(ctx, u, admin) })
}

// AddUser makes an account on the embedded forge, if it is not there, and
// returns a new token of it.
func (a *App) AddUser(ctx context.Context, u forge.User, admin bool) (token string, err error) {
	if err := a.embedded.CreateUser(ctx, u, admin); err != nil && !errors.Is(err, forge.ErrExists) {
		return "", fmt.Errorf("making the account %s: %w", u.Login, err)
	}
	return a.embedded.CreateToken(ctx, u.Login)
}

// AdminToken returns the token of the person at the keyboard.
func (a *App) AdminToken() (string, error) {
	return a.secrets.get(AdminLogin+"-token", func() (string, error) { return "", errors.New("the platform was never opened") })
}

// AdminTokenFile is where that token is kept.
func (a *App) AdminTokenFile() string { return a.secrets.path(AdminLogin + "-token") }

// Import brings an existing Git repository, with its branches and tags, onto
// the embedded forge and has it served. What is there already is brought up to
// date where that loses nothing.
func (a *App) Import(ctx context.Context, name forge.RepoName, path, description string) error {
	if err := a.embedded.ImportRepository(ctx, name, path, description); err != nil && !errors.Is(err, forge.ErrExists) {
		return fmt.Errorf("importing %s as %s: %w", path, name, err)
	}
	return a.Serve(ctx, name)
}

// Prove has the postsubmits of a repository's default branch run on its newest
// commit, if nothing ran there yet: one that was brought in, rather than pushed,
// has no results, and a release is judged by them.
func (a *App) Prove(ctx context.Context, name forge.RepoName) error {
	repo, err := a.Forge.Repo(ctx, name)
	if err != nil {
		return err
	}
	tip, err := a.Forge.Branch(ctx, name, repo.DefaultBranch)
	if errors.Is(err, forge.ErrNotFound) {
		return nil // nothing was pushed yet
	}
	if err != nil {
		return err
	}
	ran, err := a.Runs.Executions(ctx, job.ExecutionFilter{Repo: name.String(), SHA: tip.SHA, Type: job.Postsubmit, Limit: 1})
	if err != nil || len(ran) > 0 {
		return err
	}
	_, err = a.Runs.Start(ctx, run.Request{Repo: name, Branch: repo.DefaultBranch, BaseSHA: tip.SHA, Cause: "brought in", Key: "brought in " + name.String() + " " + tip.SHA})
	return err
}

// Serve takes a repository of the forge into the platform's care: its bot and
// the administrator become collaborators, webhooks are sent here, the labels
// the bot uses are there and the default branch is protected. Doing it twice
// does it once.
func (a *App) Serve(ctx context.Context, name forge.RepoName) error {
	token, err := a.AdminToken()
	if err != nil {
		return err
	}
	admin, err := a.Client(token)
	if err != nil {
		return err
	}
	fail := func(err error) error { return fmt.Errorf("taking %s into care: %w", name, err) }
	for _, login := range []string{BotLogin, AdminLogin} {
		if err := admin.AddCollaborator(ctx, name, login, "admin"); err != nil {
			return fail(err)
		}
	}
	for _, l := range append(bot.Labels(), kinds()...) {
		if err := a.Forge.CreateLabel(ctx, name, l); err != nil && !errors.Is(err, forge.ErrExists) {
			return fail(err)
		}
	}
	if err := a.hook(ctx, admin, name); err != nil {
		return fail(err)
	}
	repo, err := a.Forge.Repo(ctx, name)
	if err != nil {
		return fail(err)
	}
	if _, err := a.Forge.Branch(ctx, name, repo.DefaultBranch); errors.Is(err, forge.ErrNotFound) {
		return nil // nothing was pushed yet; the first push protects it
	} else if err != nil {
		return fail(err)
	}
	return a.protect(ctx, name, repo.DefaultBranch)
}

// kinds are the labels that sort changes for the release notes.
func kinds() []forge.Label {
	var all []forge.Label
	for _, k := range [][2]string{
		{"api-change", "Changes an interface others build on."}, {"bug", "Mends what did not work."}, {"cleanup", "Leaves what users see as it is."},
		{"deprecation", "Announces that something will go."}, {"documentation", "Is about words."}, {"failing-test", "Mends a test that fails."},
		{"feature", "Does something new."}, {"flake", "Mends a test that fails now and then."}, {"regression", "Mends what worked before."},
	} {
		all = append(all, forge.Label{Name: "kind/" + k[0], Color: "c5def5", Description: k[1]})
	}
	return all
}

// protect keeps everybody but the platform's account from pushing to a branch.
func (a *App) protect(ctx context.Context, name forge.RepoName, branch string) error {
	if err := a.Forge.Protect(ctx, name, branch, forge.Protection{PushLogins: []string{BotLogin}, EnforceAdmins: true}); err != nil {
		return fmt.Errorf("protecting %s of %s: %w", branch, name, err)
	}
	return nil
}

func (a *App) hook(ctx context.Context, admin *github.Client, name forge.RepoName) error {
	secret, err := a.webhookSecret()
	if err != nil {
		return err
	}
	hooks, err := admin.Hooks(ctx, name)
	if err != nil {
		return err
	}
	want := forge.Hook{URL: "http://" + local.OwnHost + hookPath, Secret: secret, Events: []string{"*"}, Active: true}
	if slices.ContainsFunc(hooks, func(h forge.Hook) bool { return h.URL == want.URL && h.Active }) {
		return nil
	}
	// One from when hooks named the port goes on, with what waits to be delivered.
	for _, h := range hooks {
		if strings.HasPrefix(h.URL, "http://127.0.0.1:") && strings.HasSuffix(h.URL, hookPath) {
			want.ID = h.ID
			return admin.EditHook(ctx, name, want)
		}
	}
	_, err = admin.CreateHook(ctx, name, want)
	if errors.Is(err, forge.ErrExists) {
		return nil // made since we looked: somebody else takes it into care just now
	}
	return err
}

// hookPath is where webhooks are taken.
const hookPath = "/hooks/github"

func (a *App) webhookSecret() (string, error) { return a.secrets.get("webhook", random) }
