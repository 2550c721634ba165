package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/tools/txtar"

	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/job"
)

// The project of the story.
var halyard = forge.RepoName{Owner: "harbour", Name: "halyard"}

const (
	mainBranch    = "main"
	releaseBranch = "release-0.1"
	milestone     = "v0.1"
	released      = "v0.1.0"
)

// The people of the story.
var people = []forge.User{
	{Login: "ada", Name: "Ada", Email: "ada@example.org"}, // maintains the project
	{Login: "ben", Name: "Ben", Email: "ben@example.org"}, // contributes
	{Login: "cho", Name: "Cho", Email: "cho@example.org"}, // reviews
	{Login: "dee", Name: "Dee", Email: "dee@example.org"}, // owns the documentation
	{Login: "eli", Name: "Eli", Email: "eli@example.org"}, // contributes, too
}

// teller is one telling of the story.
type teller struct {
	on     Platform
	story  *Story
	dir    string // for clones and downloads
	tokens map[string]string
	as     map[string]Person
	pulls  map[string]int // number by branch
	build  string         // build version of the staged release
}

// act is one step: a title and what happens.
type act struct {
	title string
	page  string // the page that shows it
	do    func(context.Context) error
}

// acts is the whole story in order.
func (t *teller) acts() []act {
	return []act{
		{"People get accounts", "/", t.arrive},
		{"A project is created and pushed", "/harbour/halyard", t.found},
		{"Four changes are proposed", "/changes", t.propose},
		{"Presubmits run on every change", "/runs", t.test},
		{"A broken change stays out", "/changes", t.broken},
		{"A flaky test fails, is retried and passes", "/signal", t.flaky},
		{"People review and approve", "/changes", t.review},
		{"A change waits for the owner of its files", "/changes", t.owner},
		{"The queue tests on the tip and merges", "/changes", t.merge},
		{"Postsubmits and a periodic run", "/runs", t.after},
		{"Nights at sea are told, and their failures sorted", "/triage", t.nights},
		{"The grid has filled", "/signal", t.signal},
		{"A release branch is cut", "/releases", t.branch},
		{"The release is staged", "/releases", t.stage},
		{"The release is rehearsed", "/releases", t.rehearse},
		{"Found GO, approved, and cut for real", "/releases", t.cut},
		{"The next patch has its day", "/releases", t.timetable},
		{"A stranger downloads and verifies it", "/releases", t.verify},
	}
}

// Titles lists the steps that Tell will take.
func Titles() []string {
	var titles []string
	for _, a := range (&teller{}).acts() {
		titles = append(titles, a.title)
	}
	return titles
}

// How long any one step may take before the story fails. The tests and builds
// of a repository that somebody brings take what they take.
const (
	patience       = 3 * time.Minute
	travelPatience = time.Hour
)

// Tell plays the story on a running platform. It returns at the first step
// that does not hold. dir takes clones and downloads.
func Tell(ctx context.Context, on Platform, story *Story, dir string) error {
	t := &teller{on: on, story: story, dir: dir, tokens: map[string]string{}, as: map[string]Person{}, pulls: map[string]int{}}
	return story.tell(ctx, patience, t.acts())
}

func (s *Story) tell(ctx context.Context, patience time.Duration, acts []act) error {
	for _, act := range acts {
		s.begin(act.page)
		err := func() error {
			ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it took longer than %s", patience))
			defer cancel()
			return act.do(ctx)
		}()
		s.end(err)
		if err != nil {
			return fmt.Errorf("%s: %w", act.title, err)
		}
	}
	return nil
}

// until waits for a condition, looking again whenever the platform changes
// something, and now and then besides. what says what did not come about.
func (t *teller) until(ctx context.Context, what string, holds func(context.Context) (bool, error)) error {
	changed, stop := t.on.Changed()
	defer stop()
	anyway := time.NewTicker(500 * time.Millisecond)
	defer anyway.Stop()
	for {
		ok, err := holds(ctx)
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		case <-changed:
		case <-anyway.C:
		}
	}
}

func (t *teller) arrive(ctx context.Context) error {
	for _, p := range people {
		token, err := t.on.AddUser(ctx, p, p.Login == "ada")
		if err != nil {
			return err
		}
		t.tokens[p.Login] = token
		if t.as[p.Login], err = t.on.As(token); err != nil {
			return err
		}
	}
	t.story.note("%d people and the platform's own bot", len(people))
	return nil
}

func (t *teller) found(ctx context.Context) error {
	files, err := project()
	if err != nil {
		return err
	}
	ada := t.as["ada"]
	if _, err := ada.CreateRepo(ctx, forge.NewRepo{RepoName: halyard, Description: "Converts between the units of the sea.", DefaultBranch: mainBranch}); err != nil {
		return err
	}
	for _, p := range people {
		permission := "push"
		if p.Login == "ada" {
			permission = "admin"
		}
		if err := ada.AddCollaborator(ctx, halyard, p.Login, permission); err != nil {
			return err
		}
	}
	repo, err := git.Init(ctx, filepath.Join(t.dir, "halyard"), false, mainBranch)
	if err != nil {
		return err
	}
	first, err := t.commit(ctx, repo, "", "ada", "Begin halyard", files)
	if err != nil {
		return err
	}
	if err := t.push(ctx, repo, "ada", first, mainBranch); err != nil {
		return err
	}
	if err := t.on.Serve(ctx, halyard); err != nil {
		return err
	}
	// From here on the branch is protected: what was just done is refused.
	direct, err := t.commit(ctx, repo, first, "ben", "Past everybody", []txtar.File{{Name: "README.md", Data: []byte("mine\n")}})
	if err != nil {
		return err
	}
	if err := t.push(ctx, repo, "ben", direct, mainBranch); !errors.Is(err, git.ErrRejected) {
		return fmt.Errorf("a push around review should be refused, and was not: %v", err)
	}
	t.story.note("%d files by git push; a push around review is refused", len(files))
	return nil
}

// commit writes files on top of a parent and returns the commit.
func (t *teller) commit(ctx context.Context, repo *git.Repository, parent, login, message string, files []txtar.File) (string, error) {
	var edits []git.FileEdit
	for _, f := range files {
		edits = append(edits, git.FileEdit{Path: f.Name, Content: f.Data})
	}
	tree, err := repo.EditTree(ctx, parent, edits)
	if err != nil {
		return "", err
	}
	c := git.NewCommit{Tree: tree, Message: message, Author: git.Person{Name: login, Email: login + "@example.org", Time: time.Now()}}
	if parent != "" {
		c.Parents = []string{parent}
	}
	return repo.CommitTree(ctx, c)
}

func (t *teller) push(ctx context.Context, repo *git.Repository, login, commit, branch string) error {
	return repo.WithAuth(git.Auth{User: login, Token: t.tokens[login]}).
		Push(ctx, t.on.GitURL(halyard), git.PushOptions{}, commit+":refs/heads/"+branch)
}

func (t *teller) propose(ctx context.Context) error {
	all, err := changes()
	if err != nil {
		return err
	}
	repo, err := git.Open(ctx, filepath.Join(t.dir, "halyard"))
	if err != nil {
		return err
	}
	tip, err := t.on.Forge.Branch(ctx, halyard, mainBranch)
	if err != nil {
		return err
	}
	for _, c := range all {
		commit, err := t.commit(ctx, repo, tip.SHA, c.author, c.title, c.files)
		if err != nil {
			return err
		}
		if err := t.push(ctx, repo, c.author, commit, c.branch); err != nil {
			return err
		}
		pr, err := t.as[c.author].CreatePullRequest(ctx, halyard, forge.NewPullRequest{Title: c.title, Body: c.body, Head: c.branch, Base: mainBranch})
		if err != nil {
			return err
		}
		t.pulls[c.branch] = pr.Number
	}
	t.story.note("by %d people", 2)
	return nil
}

// newest returns the latest execution of every job on a pull request.
func (t *teller) newest(ctx context.Context, number int) (map[string]job.Execution, error) {
	all, err := t.on.Runs.Executions(ctx, job.ExecutionFilter{Repo: halyard.String(), Pull: number})
	if err != nil {
		return nil, err
	}
	newest := map[string]job.Execution{}
	for _, e := range all {
		if _, seen := newest[e.Job]; !seen {
			newest[e.Job] = e
		}
	}
	return newest, nil
}

func (t *teller) test(ctx context.Context) error {
	ran := 0
	err := t.until(ctx, "presubmits do not end", func(ctx context.Context) (bool, error) {
		ran = 0
		for _, number := range t.pulls {
			newest, err := t.newest(ctx, number)
			if err != nil {
				return false, err
			}
			if len(newest) == 0 {
				return false, nil
			}
			for _, e := range newest {
				if !e.State.Final() {
					return false, nil
				}
				ran++
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	t.story.note("%d runs on %d changes", ran, len(t.pulls))
	return nil
}

func (t *teller) broken(ctx context.Context) error {
	number := t.pulls["short-format"]
	t.story.link(fmt.Sprintf("/%s/pull/%d", halyard, number))
	return t.until(ctx, "the failure does not show on the change", func(ctx context.Context) (bool, error) {
		pr, err := t.on.Forge.PullRequest(ctx, halyard, number)
		if err != nil {
			return false, err
		}
		statuses, err := t.on.Forge.Statuses(ctx, halyard, pr.Head.SHA)
		if err != nil {
			return false, err
		}
		for _, s := range statuses {
			if s.Context == "pull-unit" && s.State == forge.StatusFailure {
				t.story.note("#%d fails pull-unit", number)
				return true, nil
			}
		}
		return false, nil
	})
}

func (t *teller) flaky(ctx context.Context) error {
	number := t.pulls["almanac"]
	t.story.link(fmt.Sprintf("/%s/grid/pull-unit", halyard))
	newest, err := t.newest(ctx, number)
	if err != nil {
		return err
	}
	first := newest["pull-unit"]
	if first.State != job.Failure {
		return fmt.Errorf("the first run of #%d should fail, and is %s", number, first.State)
	}
	if _, err := t.as["eli"].CreateComment(ctx, halyard, number, "It passes on my machine.\n\n/retest"); err != nil {
		return err
	}
	return t.until(ctx, "the retry does not pass", func(ctx context.Context) (bool, error) {
		newest, err := t.newest(ctx, number)
		if err != nil {
			return false, err
		}
		again := newest["pull-unit"]
		if again.ID == first.ID || !again.State.Final() {
			return false, nil
		}
		if again.State != job.Success {
			return false, fmt.Errorf("the retry of #%d is %s", number, again.State)
		}
		t.story.note("#%d passes at the second try, on the same commit", number)
		return true, nil
	})
}

// say comments as somebody.
func (t *teller) say(ctx context.Context, login, branch, text string) error {
	_, err := t.as[login].CreateComment(ctx, halyard, t.pulls[branch], text)
	return err
}

// labelled waits for labels on a change.
func (t *teller) labelled(ctx context.Context, branch string, labels ...string) error {
	number := t.pulls[branch]
	return t.until(ctx, fmt.Sprintf("#%d does not get the labels %v", number, labels), func(ctx context.Context) (bool, error) {
		pr, err := t.on.Forge.PullRequest(ctx, halyard, number)
		for _, l := range labels {
			if !pr.HasLabel(l) {
				return false, err
			}
		}
		return true, err
	})
}

func (t *teller) review(ctx context.Context) error {
	for _, words := range [][3]string{
		{"cho", "fathoms", "Reads well.\n\n/lgtm"}, {"ada", "fathoms", "/approve"},
		{"cho", "almanac", "/lgtm"}, {"ada", "almanac", "/approve"},
		{"cho", "chart-depths", "/lgtm"},
	} {
		if err := t.say(ctx, words[0], words[1], words[2]); err != nil {
			return err
		}
	}
	for _, branch := range []string{"fathoms", "almanac"} {
		if err := t.labelled(ctx, branch, "lgtm", "approved"); err != nil {
			return err
		}
	}
	t.story.note("two changes have lgtm and approved")
	return t.labelled(ctx, "chart-depths", "lgtm")
}

func (t *teller) owner(ctx context.Context) error {
	number := t.pulls["chart-depths"]
	t.story.link(fmt.Sprintf("/%s/pull/%d", halyard, number))
	pr, err := t.on.Forge.PullRequest(ctx, halyard, number)
	if err != nil {
		return err
	}
	if pr.HasLabel("approved") || pr.Merged {
		return fmt.Errorf("#%d is approved before an owner of docs/ said so", number)
	}
	why, err := t.on.Queue.Why(ctx, halyard, number)
	if err != nil {
		return err
	}
	if len(why) == 0 {
		return fmt.Errorf("nothing keeps #%d from merging, though nobody approved it", number)
	}
	t.story.note("%s", why[0].Sentence)
	if err := t.say(ctx, "dee", "chart-depths", "Good to have this.\n\n/approve"); err != nil {
		return err
	}
	if err := t.labelled(ctx, "chart-depths", "approved"); err != nil {
		return err
	}
	t.story.note("#%d waited for dee, who owns docs/", number)
	return nil
}

func (t *teller) merge(ctx context.Context) error {
	want := []string{"fathoms", "almanac", "chart-depths"}
	err := t.until(ctx, "the queue does not merge", func(ctx context.Context) (bool, error) {
		merged := 0
		for _, branch := range want {
			pr, err := t.on.Forge.PullRequest(ctx, halyard, t.pulls[branch])
			if err != nil {
				return false, err
			}
			if pr.Merged && pr.Milestone == milestone {
				merged++
			}
		}
		t.story.note("%d of %d merged", merged, len(want))
		return merged == len(want), nil
	})
	if err != nil {
		return err
	}
	stays, err := t.on.Forge.PullRequest(ctx, halyard, t.pulls["short-format"])
	if err != nil {
		return err
	}
	if stays.Merged || stays.State != forge.StateOpen {
		return fmt.Errorf("#%d should have stayed open", stays.Number)
	}
	t.story.note("3 merged into milestone %s; #%d stays open", milestone, stays.Number)
	return nil
}

func (t *teller) after(ctx context.Context) error {
	tip, err := t.on.Forge.Branch(ctx, halyard, mainBranch)
	if err != nil {
		return err
	}
	return t.until(ctx, "post-unit on the tip and ci-unit do not pass", func(ctx context.Context) (bool, error) {
		post, err := t.on.Runs.Executions(ctx, job.ExecutionFilter{Repo: halyard.String(), Job: "post-unit", SHA: tip.SHA, Limit: 1})
		if err != nil {
			return false, err
		}
		clock, err := t.on.Runs.Executions(ctx, job.ExecutionFilter{Job: "ci-unit", States: []job.State{job.Success}, Limit: 1})
		if err != nil {
			return false, err
		}
		if len(post) == 1 && post[0].State.Final() && post[0].State != job.Success {
			return false, fmt.Errorf("post-unit on the tip is %s", post[0].State)
		}
		done := len(post) == 1 && post[0].State == job.Success && len(clock) == 1
		if done {
			t.story.note("post-unit passes on %s, ci-unit by the clock", tip.SHA[:9])
		}
		return done, nil
	})
}

// clean removes what an earlier telling left.
func clean(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clearing %s: %w", dir, err)
	}
	return nil
}
