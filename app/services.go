package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/job"
	executor "seaworthy/job/local"
	"seaworthy/job/run"
	"seaworthy/merge"
	"seaworthy/merge/bot"
	"seaworthy/merge/queue"
	"seaworthy/release/cut"
	"seaworthy/store"
	"seaworthy/store/work"
)

// instance names this state folder among the servers of a platform. It is no
// secret, and does not lie among those, which servers share: two of one name would
// take each other's work for their own.
func (a *App) instance() (string, error) {
	name, err := secrets{a.o.Dir}.get("instance", random)
	if err != nil {
		return "", fmt.Errorf("naming this server: %w", err)
	}
	return name, nil
}

// owner names this platform in leases. It is the same after a restart, so that
// what was held is taken up at once; a command has a name of its own.
func (a *App) owner() (string, error) {
	name, err := a.instance()
	if err != nil {
		return "", err
	}
	if a.attached {
		return fmt.Sprintf("%s-command-%d", name, os.Getpid()), nil
	}
	return name, nil
}

func (a *App) gitAuth() git.Auth {
	if a.alone != nil {
		return a.alone.auth
	}
	token, err := a.secrets.get(BotLogin+"-token", func() (string, error) { return "", errors.New("not made yet") })
	if err != nil {
		return git.Auth{} // before openForge nobody asks
	}
	return git.Auth{Token: token}
}

func (a *App) openServices(ctx context.Context) error {
	owner, err := a.owner()
	if err != nil {
		return err
	}
	if err := a.openWork(); err != nil {
		return err
	}
	builds, err := buildEnvironment(ctx)
	if err != nil {
		return err
	}
	if err := a.openRuns(owner, builds); err != nil {
		return err
	}
	a.Bot, err = bot.New(bot.Options{
		Forge: a.Forge, Runner: tests{a}, Login: BotLogin, Policy: a.manners, Note: note, TreeHash: a.tree, Exclusive: a.hold, Now: a.o.Now, Log: a.o.Log,
	})
	if err != nil {
		return err
	}
	a.Queue, err = queue.New(queue.Options{
		Forge: a.Forge, Runner: retests{a}, Batches: batches{a}, Refresh: a.Bot.Refresh, Recorder: decisions{a.Store}, Switch: pauses{a.Store},
		Contexts: a.requirements, Query: a.policy, Exclusive: a.hold, Now: a.o.Now, Log: a.o.Log,
		Notify:    func(forge.RepoName, string) { a.publish(topicChanges) },
		TargetURL: func(forge.RepoName, string) string { return a.url + "/changes?state=open" },
	})
	if err != nil {
		return err
	}
	if err := a.openSignal(ctx); err != nil {
		return err
	}
	a.openTriage()
	builder, err := a.openSigner(ctx)
	if err != nil {
		return err
	}
	a.engine = &flow.Engine{Journal: journal{a.Store, a.publish}, Owner: owner, Now: a.o.Now, Boundary: a.o.Boundary}
	o := cut.Options{
		Forge: a.Forge, Pages: a.Forge, Pulls: a.Forge, Git: a.clones, Address: a.address, Auth: a.gitAuth(), Bucket: a.Bucket, Engine: a.engine,
		SourceURL: func(repo forge.RepoName) string { return a.url + "/" + repo.String() },
		Registry:  cut.Registry{Address: a.registryAddress, Keychain: botKeychain{a}},
		Signer:    a.signer, Verifier: a.verifier, Builder: builder, Version: a.o.Version,
		Tracker: a.Forge, Changes: a.Forge, Protections: a.Forge, Branching: a.branchPlan,
		OpenBucket: OpenBucket, TagKey: a.tagKey, Exclusive: a.hold,
		Project: a.releaseProject, WorkDir: a.dir(workDir), BuildCache: builds,
		DownloadURL: func(repo forge.RepoName, version string) string {
			return fmt.Sprintf("%s/%s/releases/download/%s", a.url, repo, version)
		},
	}
	if err := a.speak(&o); err != nil {
		return err
	}
	a.Releases, err = cut.New(o)
	return err
}

func (a *App) openWork() (err error) {
	a.work, err = work.New(a.Store, work.Config{
		Queues: map[string]int{queueEvents: eventWorkers, queueRuns: a.o.Workers, queueFlows: 2},
		Handlers: map[string]work.Handler{
			kindEvent: a.handleEvent, kindRun: a.handleRun, kindPool: a.handlePool, kindPeriodic: a.handlePeriodic, kindFlow: a.handleFlow, kindTrain: a.handleTrain,
			kindAlerts: a.handleAlerts,
		},
		// A job that takes longer runs again after the next start, so there is
		// little to wait for.
		Grace: 2 * time.Second,
		Log:   a.o.Log, Now: a.o.Now,
	})
	return err
}

func (a *App) openRuns(owner string, builds map[string]string) error {
	env := append([]job.EnvVar{{Name: "XDG_CACHE_HOME", Value: a.dir(cacheDir, "jobs")}}, sorted(builds)...)
	if err := os.MkdirAll(a.dir(cacheDir, "jobs"), 0o755); err != nil {
		return fmt.Errorf("making the jobs' cache: %w", err)
	}
	x, err := executor.New(executor.Options{
		Dir: a.dir(workDir), Git: a.clones, Path: os.Getenv("PATH"), PassEnv: executor.DefaultPassEnv(), Env: env,
		Remote: func(r job.Refs) (string, git.Auth) {
			return a.ownGitURL(forge.RepoName{Owner: r.Org, Name: r.Repo}), a.gitAuth()
		},
	})
	if err != nil {
		return err
	}
	a.Runs, err = run.New(run.Options{
		Forge: a.Forge, Store: a.Store, Executor: x, Bucket: a.Bucket, Jobs: a.jobs, Enqueue: a.enqueueRun,
		Trusted: a.trusted, Known: a.knownFailures, Notify: a.publish, Now: a.o.Now, BaseURL: a.url, Owner: owner, Exclusive: a.hold, LogDir: a.dir(logDir), Live: x.OpenArtifacts, Log: a.o.Log,
	})
	return err
}

// sorted lists variables by name.
func sorted(env map[string]string) []job.EnvVar {
	var all []job.EnvVar
	for _, name := range slices.Sorted(maps.Keys(env)) {
		all = append(all, job.EnvVar{Name: name, Value: env[name]})
	}
	return all
}

// buildEnvironment asks the go command for the caches that every build on this
// machine shares; a machine without Go has none.
func buildEnvironment(ctx context.Context) (map[string]string, error) {
	path, err := exec.LookPath("go")
	if errors.Is(err, exec.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the go command: %w", err)
	}
	cmd := exec.CommandContext(ctx, path, "env", "-json", "GOCACHE", "GOMODCACHE")
	cmd.Dir = filepath.Dir(path) // outside any module
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("asking the go command for its caches: %w", err)
	}
	env := map[string]string{}
	if err := json.Unmarshal(out, &env); err != nil {
		return nil, fmt.Errorf("reading what the go command says of its caches: %w", err)
	}
	return env, nil
}

// trusted people's changes run without being looked at first.
func (a *App) trusted(ctx context.Context, repo forge.RepoName, login string) (bool, error) {
	people, err := a.Forge.Collaborators(ctx, repo)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(people, func(u forge.User) bool { return strings.EqualFold(u.Login, login) }), nil
}

// tree names the content of a commit, whatever its history.
func (a *App) tree(ctx context.Context, repo forge.RepoName, sha string) (string, error) {
	clone, err := a.clone(ctx, repo)
	if err != nil {
		return "", err
	}
	tree, err := clone.ResolveObject(ctx, sha+"^{tree}")
	if errors.Is(err, git.ErrNotFound) {
		return "", nil // replaced meanwhile; an unknown tree equals no other
	}
	return tree, err
}

// retests lets the merge queue start jobs.
type retests struct{ a *App }

// StartJobs implements queue.Runner.
func (r retests) StartJobs(ctx context.Context, s queue.Start) error {
	var names []string
	for _, j := range s.Jobs {
		names = append(names, j.Name)
	}
	_, err := r.a.Runs.Start(ctx, run.Request{
		Repo: s.PullRequest.Repo, Pull: s.PullRequest.Number, Jobs: names, BaseSHA: s.BaseSHA, Cause: s.Cause, Key: s.Key,
	})
	return err
}

// tests lets people start jobs by comment.
type tests struct{ a *App }

// Test implements bot.Runner.
func (t tests) Test(ctx context.Context, r bot.TestRequest) (bot.TestAnswer, error) {
	pr := r.PullRequest
	p, err := t.a.standing(ctx, pr.Repo, pr.Base.SHA)
	if err != nil {
		return bot.TestAnswer{}, err
	}
	statuses, err := t.a.Forge.Statuses(ctx, pr.Repo, pr.Head.SHA)
	if err != nil {
		return bot.TestAnswer{}, err
	}
	comment := job.Comment{Body: r.Command}
	for _, s := range statuses {
		comment.Known = append(comment.Known, s.Context)
		if s.State == forge.StatusFailure || s.State == forge.StatusError {
			comment.Failed = append(comment.Failed, s.Context)
		}
	}
	files := func() ([]string, error) { return t.a.changedFiles(ctx, pr) }
	selection, err := job.Select(p.Jobs, pr.Repo.String(), pr.Base.Branch, files, comment)
	if err != nil {
		return bot.TestAnswer{}, err
	}
	answer := bot.TestAnswer{Help: selection.Help}
	if selection.Help {
		menu, err := job.Available(p.Jobs, pr.Repo.String(), pr.Base.Branch, files)
		if err != nil {
			return answer, err
		}
		answer.Required, answer.Optional, answer.All = menu.Required, menu.Optional, menu.All
	}
	for _, j := range selection.Jobs() {
		answer.Started = append(answer.Started, j.Name)
	}
	if len(answer.Started) == 0 {
		return answer, nil
	}
	_, err = t.a.Runs.Start(ctx, run.Request{Repo: pr.Repo, Pull: pr.Number, Jobs: answer.Started, Cause: r.Command, Key: r.Key})
	return answer, err
}

// decisions keeps the queue's evidence in the store.
type decisions struct{ db *store.DB }

// RecordDecision implements queue.Recorder.
func (d decisions) RecordDecision(ctx context.Context, q queue.Decision) error {
	inputs, err := json.Marshal(struct {
		Pool    merge.Pool   `json:"pool"`
		Action  merge.Action `json:"action"`
		Outcome string       `json:"outcome,omitempty"`
	}{q.Pool, q.Action, q.Outcome})
	if err != nil {
		return fmt.Errorf("recording a decision of the merge queue: %w", err)
	}
	_, err = d.db.RecordDecision(ctx, store.Decision{
		Kind: "merge-queue", Subject: q.Pool.Repo.String() + " " + q.Pool.Branch, Verdict: string(q.Action.Kind), Reason: q.Action.Reason, Inputs: inputs, At: q.At,
	})
	return err
}

// pauses keeps which branches are paused.
type pauses struct{ db *store.DB }

func pauseKey(repo forge.RepoName, branch string) string {
	return "queue-paused " + repo.String() + " " + branch
}

// Paused implements queue.Switch.
func (p pauses) Paused(ctx context.Context, repo forge.RepoName, branch string) (string, error) {
	why, err := p.db.Setting(ctx, pauseKey(repo, branch))
	if errors.Is(err, store.ErrNotFound) {
		return "", nil // never paused
	}
	return why, err
}

// SetPaused implements queue.Switch.
func (p pauses) SetPaused(ctx context.Context, repo forge.RepoName, branch, why string) error {
	return p.db.SetSetting(ctx, pauseKey(repo, branch), why)
}

// journal is the store's, and tells pages that a release went on.
type journal struct {
	*store.DB
	publish func(string)
}

// Append implements flow.Journal.
func (j journal) Append(ctx context.Context, l flow.Lease, e flow.Entry) (int64, error) {
	seq, err := j.DB.Append(ctx, l, e)
	if err == nil {
		j.publish(topicReleases)
	}
	return seq, err
}
