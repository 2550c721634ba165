package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/demo"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release/train"
	"seaworthy/web"
)

type demoFlags struct {
	dir     string
	addr    string
	repo    string
	once    bool
	verbose bool
}

func newDemo(s Streams) *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "Watch a sample project travel from commit to verified release",
		Long: `Starts a platform in a folder of its own and plays a story on it: a small Go project is created on the embedded
forge, changes are proposed, tested, reviewed and merged, and a release is staged, rehearsed, cut and verified.
Every step is real and checked. Afterwards the pages stay up; --once exits instead.

With --repo, an existing Git repository is imported with its branches and tags and taken through a rehearsal
and a real release on the embedded forge. The repository itself is only read.`,
		Example: `  seaworthy demo
  seaworthy demo --once --dir /tmp/demo
  seaworthy demo --repo ~/src/project`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), s) },
	}
	c.Flags().StringVar(&f.dir, "dir", "", "`folder` for the platform's state (a temporary one if empty, removed at the end if all went well)")
	c.Flags().StringVar(&f.addr, "addr", "127.0.0.1:0", "`address` to listen on; port 0 takes a free one")
	c.Flags().StringVar(&f.repo, "repo", "", "`path` of a Git repository to take through a release instead of the sample")
	c.Flags().BoolVar(&f.once, "once", false, "exit at the end: 0 if every check held")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "log everything")
	return c
}

func (f *demoFlags) run(ctx context.Context, s Streams) (err error) {
	if _, err := git.Version(); err != nil {
		return err
	}
	if err := needsGo(); err != nil {
		return err
	}
	dir, remove, err := f.folder()
	if err != nil {
		return err
	}
	begun := false
	defer func() {
		if err != nil && begun && ctx.Err() == nil {
			// What went wrong is in there: the logs of the jobs, first of all.
			fmt.Fprintf(s.Err, "All that was done is kept in %s, the logs of jobs below bucket/logs.\n", dir)
			return
		}
		err = errors.Join(err, remove())
	}()
	tell, titles := demo.Tell, demo.Titles()
	if f.repo != "" {
		repo, err := openRepo(ctx, f.repo, "name a Git repository with --repo")
		if err != nil {
			return err
		}
		name, err := localName(ctx, repo)
		if err != nil {
			return err
		}
		tell, titles = demo.TellRepository(name, repo.Dir), demo.RepositoryTitles()
	}
	var a *app.App
	screen := &screen{terminal: screenOn(s.Out), wake: make(chan struct{}, 1)}
	story := demo.NewStory(titles, time.Now, func() {
		if a != nil {
			a.Hub.Publish("story")
		}
		screen.changed()
	})
	a, err = app.Open(ctx, app.Options{
		Dir: dir, Addr: f.addr, Version: version, Log: logTo(s, f.verbose),
		Story: func() []web.StoryStep { return forPages(story.Steps()) },
	})
	if err != nil {
		return err
	}
	begun = true
	defer func() { err = errors.Join(err, a.Close()) }()
	fmt.Fprintf(s.Out, "Watch it at %s\n\n", a.URL())
	return f.play(ctx, s, a, func(ctx context.Context) error {
		return screen.during(story, func() error { return tell(ctx, stage(a), story, filepath.Join(dir, "people")) })
	})
}

// folder returns where the state goes, and what clears it away.
func (f *demoFlags) folder() (string, func() error, error) {
	nothing := func() error { return nil }
	if f.dir != "" {
		if entries, err := os.ReadDir(f.dir); err == nil && len(entries) > 0 {
			return "", nothing, usagef("%s is not empty: a demo begins in a fresh folder", f.dir)
		}
		return f.dir, nothing, nil
	}
	dir, err := os.MkdirTemp("", "seaworthy-demo-")
	if err != nil {
		return "", nothing, fmt.Errorf("making a folder for the demo: %w", err)
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}

// play runs the platform beside the story, and keeps it up afterwards unless
// the demo is to end.
func (f *demoFlags) play(ctx context.Context, s Streams, a *app.App, tell func(context.Context) error) error {
	served, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(served) }()

	began := time.Now()
	told, quit := context.WithCancelCause(ctx)
	defer quit(nil)
	finished := make(chan error, 1)
	go func() { finished <- tell(told) }()
	var err, failure error
	select {
	case err = <-finished:
	case failure = <-ended: // the platform broke down; the story cannot go on
		quit(fmt.Errorf("the platform stopped: %w", errors.Join(failure, context.Canceled)))
		return errors.Join(failure, <-finished)
	}
	if err != nil {
		stop()
		return errors.Join(err, <-ended)
	}
	fmt.Fprintf(s.Out, "\nEvery check held, in %.1f s.\n", time.Since(began).Seconds())
	if f.once {
		stop()
		return <-ended
	}
	fmt.Fprintf(s.Out, "Look around at %s (Ctrl-C ends it).\n", a.URL())
	return <-ended
}

func forPages(steps []demo.Step) []web.StoryStep {
	var all []web.StoryStep
	for _, s := range steps {
		all = append(all, web.StoryStep{Title: s.Title, State: string(s.State), Note: s.Note, Link: s.Link, Duration: s.Duration})
	}
	return all
}

// screen draws a story while it is told.
type screen struct {
	terminal *demo.Terminal
	wake     chan struct{}
}

func (s *screen) changed() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// during draws until tell returns, and once more then.
func (s *screen) during(story *demo.Story, tell func() error) error {
	done := make(chan struct{})
	var wg sync.WaitGroup
	var drawErr error
	wg.Go(func() {
		clock := time.NewTicker(100 * time.Millisecond)
		defer clock.Stop()
		for {
			drawErr = errors.Join(drawErr, s.terminal.Draw(story.Steps()))
			select {
			case <-done:
				drawErr = errors.Join(drawErr, s.terminal.Draw(story.Steps()))
				return
			case <-s.wake:
			case <-clock.C:
			}
		}
	})
	err := tell()
	close(done)
	wg.Wait()
	return errors.Join(err, drawErr)
}

// stage is the platform as a story needs it.
func stage(a *app.App) demo.Platform {
	return demo.Platform{
		Host: host{a}, Forge: a.Forge, Runs: a.Runs, Queue: a.Queue, Signal: a.Signal, Triage: a.Triage, Releases: a.Releases, Bucket: a.Bucket,
		Verify: a.VerifyRelease,
		Timetable: func(ctx context.Context, repo forge.RepoName) ([]train.Line, error) {
			if err := a.Depart(ctx, repo); err != nil {
				return nil, err
			}
			return a.Timetable(ctx, repo)
		},
		Changed: func() (<-chan struct{}, func()) { return a.Hub.Subscribe("*") },
	}
}

type host struct{ *app.App }

// As implements demo.Host.
func (h host) As(token string) (demo.Person, error) { return h.Client(token) }

// Facts implements demo.Host.
func (h host) Facts(ctx context.Context, repo forge.RepoName) (demo.Facts, error) {
	p, err := h.Project(ctx, repo, "")
	if err != nil {
		return demo.Facts{}, err
	}
	policy, err := h.Numbering(ctx, repo, p)
	return demo.Facts{Default: p.Default, Jobs: len(p.Jobs.All()), Mains: len(p.Build.Go.Main), Policy: policy}, err
}
