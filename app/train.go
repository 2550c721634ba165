package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release"
	"seaworthy/release/cut"
	"seaworthy/release/notes"
	"seaworthy/release/train"
	"seaworthy/store"
	"seaworthy/store/work"
)

// TrainActor is who the journals say did what the timetable asked for.
const TrainActor = "train"

const (
	kindTrain = "train"
	// trainEvery is how often the timetable is looked at besides whenever a
	// release came to an end or a halt.
	trainEvery = 5 * time.Minute
	// recentFlows bounds how many stages and cuts are looked through for those
	// of a branch.
	recentFlows = 500
)

// trainItem has the timetable of a repository looked at.
func trainItem(repo forge.RepoName) (work.Item, error) {
	payload, err := json.Marshal(repo.String())
	if err != nil {
		return work.Item{}, fmt.Errorf("queueing the timetable of %s: %w", repo, err)
	}
	return work.Item{Kind: kindTrain, Key: repo.String(), Queue: queueEvents, Payload: payload}, nil
}

func (a *App) handleTrain(ctx context.Context, it work.Item) error {
	var name string
	if err := json.Unmarshal(it.Payload, &name); err != nil {
		return work.Discard(fmt.Errorf("reading whose timetable it is: %w", err))
	}
	repo, err := forge.ParseRepoName(name)
	if err != nil {
		return work.Discard(err)
	}
	if err := a.Depart(ctx, repo); errors.Is(err, forge.ErrNotFound) {
		return work.Discard(err)
	} else if err != nil {
		return err
	}
	return nil
}

// clocked is the timetable's entry among what runs by the clock; none for a
// repository without a timetable. A timetable that is new, or was not looked at
// since the process began, is looked at now.
func (a *App) clocked(ctx context.Context, repo forge.RepoName) ([]work.Periodic, error) {
	p, err := a.standing(ctx, repo, "")
	if errors.Is(err, forge.ErrNotFound) {
		return nil, nil // nothing was pushed yet, or it is gone
	}
	if err != nil || len(p.Release.Train) == 0 {
		return nil, err
	}
	it, err := trainItem(repo)
	if err != nil {
		return nil, err
	}
	if err := a.work.Enqueue(ctx, it); err != nil {
		return nil, err
	}
	return []work.Periodic{{Key: kindTrain + " " + repo.String(), Every: trainEvery, Item: it}}, nil
}

// trainAfter has the timetable looked at again after a release came to an end
// or a halt, which may be what it waited for.
func (a *App) trainAfter(ctx context.Context, run string) error {
	r, err := a.Store.Run(ctx, run)
	if errors.Is(err, flow.ErrNoRun) {
		return nil
	}
	if err != nil {
		return err
	}
	var of struct {
		Repo forge.RepoName `json:"repo"`
	}
	if err := json.Unmarshal(r.Params, &of); err != nil || !of.Repo.Valid() {
		return nil // a flow that is about no repository
	}
	it, err := trainItem(of.Repo)
	if err != nil {
		return err
	}
	return a.work.Enqueue(ctx, it)
}

// Depart does what a repository's timetable asks for now. Whatever it begins
// is driven by the workers.
func (a *App) Depart(ctx context.Context, repo forge.RepoName) error {
	// What is decided is done before anybody decides again, on any server.
	leave, err := a.hold(ctx, kindTrain+" "+repo.String())
	if err != nil {
		return err
	}
	defer leave()
	stops, runs, err := a.timetable(ctx, repo)
	if err != nil {
		return err
	}
	a.trains.put(repo, linesOf(stops))
	errs := []error{a.takeUp(ctx, runs)}
	for _, s := range stops {
		if err := a.depart(ctx, s); err != nil {
			errs = append(errs, fmt.Errorf("the %s train of %s %s: %w", s.rule.Type, repo, s.facts.Branch, err))
		}
	}
	a.publish(topicReleases)
	return errors.Join(errs...)
}

// Timetable says for each branch that a train serves where its next release
// stands, and what would stop it.
func (a *App) Timetable(ctx context.Context, repo forge.RepoName) ([]train.Line, error) {
	stops, _, err := a.timetable(ctx, repo)
	if err != nil {
		return nil, err
	}
	return linesOf(stops), nil
}

func linesOf(stops []service) []train.Line {
	lines := make([]train.Line, 0, len(stops))
	for _, s := range stops {
		lines = append(lines, train.NewLine(s.repo.String(), s.rule, s.facts, train.Decide(s.rule, s.facts)))
	}
	return lines
}

// timetables keeps what was found out last, for pages that must not wait.
type timetables struct {
	mu sync.Mutex
	by map[forge.RepoName][]train.Line
}

func (t *timetables) put(repo forge.RepoName, lines []train.Line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[forge.RepoName][]train.Line{}
	}
	t.by[repo] = lines
}

func (t *timetables) of(repo forge.RepoName) []train.Line {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.by[repo]
}

// service is a rule at one of the branches that it serves.
type service struct {
	repo  forge.RepoName
	rule  train.Rule
	facts train.Facts
	known train.Log // as it is stored
}

// timetable collects the facts of every branch that is served. The rules are
// those of the default branch, so that an old branch follows today's.
func (a *App) timetable(ctx context.Context, repo forge.RepoName) ([]service, trainRuns, error) {
	var none trainRuns
	project, err := a.standing(ctx, repo, "")
	if err != nil {
		return nil, none, err
	}
	if len(project.Release.Train) == 0 {
		return nil, none, nil
	}
	policy, err := a.Numbering(ctx, repo, project)
	if err != nil {
		return nil, none, err
	}
	history, err := a.history(ctx, repo, policy)
	if err != nil {
		return nil, none, err
	}
	runs, err := a.trainRuns(ctx, repo)
	if err != nil {
		return nil, none, err
	}
	var all []service
	now := a.o.Now().UTC().Round(0) // which ends the reading of the machine's own clock
	for _, line := range project.Release.Train {
		rule, err := line.Rule()
		if err != nil {
			return nil, none, fmt.Errorf("the timetable of %s: %w", repo, err)
		}
		for _, branch := range rule.Serves(history, policy, now) {
			s := service{repo: repo, rule: rule}
			if s.known, err = a.trainLog(ctx, repo, rule, branch); err != nil {
				return nil, none, err
			}
			if s.facts, err = a.trainFacts(ctx, repo, rule, branch, s.known.Begin(rule, now), runs); err != nil {
				return nil, none, fmt.Errorf("the %s train of %s %s: %w", rule.Type, repo, branch, err)
			}
			all = append(all, s)
		}
	}
	return all, runs, nil
}

// history is the branches of a repository, and since when each series is out.
func (a *App) history(ctx context.Context, repo forge.RepoName, policy release.Policy) (train.History, error) {
	r, err := a.Forge.Repo(ctx, repo)
	if err != nil {
		return train.History{}, err
	}
	clone, err := a.clone(ctx, repo)
	if err != nil {
		return train.History{}, err
	}
	heads, err := clone.Refs(ctx, "refs/heads")
	if err != nil {
		return train.History{}, fmt.Errorf("reading the branches of %s: %w", repo, err)
	}
	// Of an annotated tag it is when it was made, of another its commit's date.
	out, err := clone.Git(ctx, "for-each-ref", "--format=%(creatordate:unix) %(refname:strip=2)", "refs/tags")
	if err != nil {
		return train.History{}, fmt.Errorf("reading the tags of %s: %w", repo, err)
	}
	first := map[string]time.Time{} // by series
	for line := range strings.Lines(out) {
		date, tag, _ := strings.Cut(strings.TrimSpace(line), " ")
		v, err := release.ParseVersion(policy.Prefix, tag)
		if err != nil || !v.Final() {
			continue // a repository has other tags, too
		}
		var seconds int64
		if _, err := fmt.Sscan(date, &seconds); err != nil {
			continue // a tag of a blob has no date
		}
		at := time.Unix(seconds, 0).UTC()
		if old, ok := first[v.Series()]; !ok || at.Before(old) {
			first[v.Series()] = at
		}
	}
	h := train.History{Default: r.DefaultBranch}
	for _, ref := range heads {
		b := train.Branch{Name: strings.TrimPrefix(ref.Name, "refs/heads/")}
		if series, ok := policy.ParseBranch(b.Name); ok {
			b.FirstFinal = first[series.Series()]
		}
		h.Branches = append(h.Branches, b)
	}
	return h, nil
}

// trainFacts is all that a decision about one branch is made of.
func (a *App) trainFacts(ctx context.Context, repo forge.RepoName, rule train.Rule, branch string, log train.Log, runs trainRuns) (train.Facts, error) {
	f := train.Facts{Now: a.o.Now().UTC(), Branch: branch, Log: log}
	plan, err := a.Releases.Plan(ctx, cut.StageRequest{Repo: repo, Branch: branch, Kind: rule.Type.Kind()})
	var refused *release.Refusal
	switch {
	case errors.As(err, &refused):
		f.Refused = refused.Why
	case broken(err):
		f.Refused = firstProblem(err)
	case err != nil:
		return f, err
	default:
		f.Tip, f.Version, f.Previous = plan.Commit, plan.Version().String(), plan.Previous
		if f.Commits, err = a.commitsSince(ctx, plan); err != nil {
			return f, err
		}
	}
	stage := func(mock bool, accept func(flow.Run) bool) train.Attempt {
		return runs.attempt(branch, rule.Type.Kind(), mock, accept)
	}
	f.Rehearsal = stage(true, func(flow.Run) bool { return true })
	if f.Log.Outcome == train.Opened {
		f.Real = stage(false, func(r flow.Run) bool { return !r.CreatedAt.Before(f.Log.Departure) })
	} else {
		f.Real = stage(false, func(flow.Run) bool { return true })
	}
	if staged := f.Real.Stage; f.Log.Outcome == train.Opened && staged.State == train.Done {
		f.RealRehearsal = runs.cutOf(staged.Build, true)
		if plan, _, err = a.Releases.StagePlan(ctx, staged.ID); err != nil {
			return f, err
		}
	}
	return f, a.judge(ctx, plan, &f)
}

// judge adds what the gates say of a plan. Rehearsing is the train's own
// business, and sign-offs are asked for by the cut, so those gates are left out.
func (a *App) judge(ctx context.Context, plan cut.Plan, f *train.Facts) error {
	if plan.Commit == "" {
		return nil
	}
	f.NeedsRehearsal, f.SignOffs = plan.Project.Rehearse, plan.Project.Approvals
	verdict, err := a.Releases.Verdict(ctx, plan)
	if err != nil {
		return err
	}
	verdict.Gates = slices.DeleteFunc(verdict.Gates, func(g release.Gate) bool { return g.Name == "rehearsal" || g.Name == "sign-off" })
	f.Verdict = verdict
	return nil
}

// commitsSince counts what a release would bring. A commit that only changes
// the changelog, as a cut itself makes one, brings nothing.
func (a *App) commitsSince(ctx context.Context, p cut.Plan) (int, error) {
	clone, err := a.clone(ctx, p.Repo)
	if err != nil {
		return 0, err
	}
	commits := p.Commit
	if p.Previous != "" {
		commits = "refs/tags/" + p.Previous + ".." + p.Commit
	}
	out, err := clone.Git(ctx, "rev-list", "--count", "--end-of-options", commits, "--", ".", ":(exclude)"+notes.Folder)
	if err != nil {
		return 0, fmt.Errorf("counting the commits since %s: %w", p.Previous, err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		return 0, fmt.Errorf("counting the commits since %s: %w", p.Previous, err)
	}
	return n, nil
}

// depart does what was decided for one branch: the log first, so that a
// departure that was begun is gone on with and never begun anew.
func (a *App) depart(ctx context.Context, s service) error {
	d := train.Decide(s.rule, s.facts)
	if d.Log != s.known {
		if err := a.setTrainLog(ctx, s, d.Log); err != nil {
			return err
		}
		a.boundary("train departure logged")
	}
	var run flow.Run
	var err error
	switch d.Act {
	case train.Stage, train.RehearseStage:
		run, err = a.Releases.Stage(ctx, cut.StageRequest{Repo: s.repo, Branch: s.facts.Branch, Kind: s.rule.Type.Kind(), Commit: s.facts.Tip,
			Mock: d.Act == train.RehearseStage, Actor: TrainActor})
	case train.Publish, train.RehearseCut:
		run, err = a.Releases.Cut(ctx, cut.CutRequest{Repo: s.repo, BuildVersion: d.Build, Mock: d.Act == train.RehearseCut, Actor: TrainActor})
	default:
		return nil
	}
	if errors.Is(err, flow.ErrBusy) {
		return nil // the release of another branch, or by another hand: not yet
	}
	if err != nil {
		return err
	}
	a.boundary("train " + run.Flow + " begun")
	a.o.Log.Info("the timetable asks for a release", "repository", s.repo.String(), "branch", s.facts.Branch, "act", string(d.Act), "why", d.Why, "run", run.ID)
	return a.work.Enqueue(ctx, flowItem(run.ID))
}

// boundary tells a test where it may kill the process.
func (a *App) boundary(point string) {
	if a.o.Boundary != nil {
		a.o.Boundary(point)
	}
}

// takeUp has the workers drive what the timetable has begun and nobody drives:
// the process that began it ended before it could say so.
func (a *App) takeUp(ctx context.Context, runs trainRuns) error {
	for _, run := range runs.all() {
		if run.State == flow.Pending && run.Actor == TrainActor {
			if err := a.work.Enqueue(ctx, flowItem(run.ID)); err != nil {
				return err
			}
		}
	}
	return nil
}

func trainKey(repo forge.RepoName, of train.Type, branch string) string {
	return fmt.Sprintf("train %s %s %s", repo, of, branch)
}

func (a *App) trainLog(ctx context.Context, repo forge.RepoName, rule train.Rule, branch string) (train.Log, error) {
	text, err := a.Store.Setting(ctx, trainKey(repo, rule.Type, branch))
	if errors.Is(err, store.ErrNotFound) {
		return train.Log{}, nil
	}
	if err != nil {
		return train.Log{}, err
	}
	var l train.Log
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return l, fmt.Errorf("reading what is remembered of the train: %w", err)
	}
	return l, nil
}

func (a *App) setTrainLog(ctx context.Context, s service, l train.Log) error {
	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("remembering the train: %w", err)
	}
	return a.Store.SetSetting(ctx, trainKey(s.repo, s.rule.Type, s.facts.Branch), string(text))
}
