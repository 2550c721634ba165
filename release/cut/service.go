package cut

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release"
)

// Stage records a run that stages a release. Drive makes it happen.
func (s *Service) Stage(ctx context.Context, r StageRequest) (flow.Run, error) {
	if r.Branch == "" {
		// The branch is part of what excludes two stages at once.
		t, err := s.locate(ctx, r.Repo)
		if err != nil {
			return flow.Run{}, err
		}
		r.Branch = t.DefaultBranch
	}
	key := fmt.Sprintf("stage %s %s", r.Repo, r.Branch)
	return s.start(ctx, s.stage.def, key, r, r.Mock, r.Actor)
}

// Cut records a run that publishes a staged release, or rehearses that. Drive
// makes it happen. One release of a repository is cut at a time.
func (s *Service) Cut(ctx context.Context, r CutRequest) (flow.Run, error) {
	r.Destination = s.Destination
	return s.start(ctx, s.cut.def, "cut "+r.Repo.String(), r, r.Mock, r.Actor)
}

// CreateBranch records a run that creates a branch. Drive makes it happen.
func (s *Service) CreateBranch(ctx context.Context, r BranchRequest) (flow.Run, error) {
	return s.start(ctx, s.branch.def, fmt.Sprintf("branch %s %s", r.Repo, r.Branch), r, r.Mock, r.Actor)
}

func (s *Service) start(ctx context.Context, d *flow.Definition, key string, params any, mock bool, actor string) (flow.Run, error) {
	if mock {
		key = "mock " + key
	}
	id := ""
	if s.NewID != nil {
		id = s.NewID(d.Name())
	}
	return s.Engine.Start(ctx, d, flow.StartOptions{ID: id, Key: key, Params: params, Mock: mock, Actor: actor})
}

// Drive takes a run as far as it goes: see flow.Engine.Drive for the states. A
// release that is not ready fails with a *NoGoError.
func (s *Service) Drive(ctx context.Context, id string, o flow.DriveOptions) (flow.State, error) {
	d, err := s.definition(ctx, id)
	if err != nil {
		return "", err
	}
	state, err := s.Engine.Drive(ctx, d, id, o)
	return state, errors.Join(err, s.tidy(id, state))
}

// Resume is Drive for a run that has failed, too.
func (s *Service) Resume(ctx context.Context, id string, o flow.DriveOptions) (flow.State, error) {
	d, err := s.definition(ctx, id)
	if err != nil {
		return "", err
	}
	state, err := s.Engine.Resume(ctx, d, id, o)
	return state, errors.Join(err, s.tidy(id, state))
}

// tidy removes the folder of a run that needs it no more.
func (s *Service) tidy(id string, state flow.State) error {
	if state != flow.Succeeded && state != flow.Canceled {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(s.WorkDir, id)); err != nil {
		return fmt.Errorf("removing the work folder of run %s: %w", id, err)
	}
	return nil
}

// Recover is what a process does first: it removes the work folders of runs
// that are over, and returns the runs that were under way when the last process
// ended, to be driven on.
func (s *Service) Recover(ctx context.Context) ([]flow.Run, error) {
	var unfinished []flow.Run
	for _, d := range s.Definitions() {
		runs, err := s.Engine.Journal.Runs(ctx, flow.RunFilter{Flow: d.Name()})
		if err != nil {
			return nil, fmt.Errorf("looking for unfinished releases: %w", err)
		}
		for _, run := range runs {
			if !run.State.Final() {
				unfinished = append(unfinished, run)
			} else if err := s.tidy(run.ID, run.State); err != nil {
				return nil, err
			}
		}
	}
	return unfinished, nil
}

// Approve records a person's approval of a cut, in a role. Whether they have
// the role is for the caller to know. Drive the run afterwards.
func (s *Service) Approve(ctx context.Context, id, role, actor, why string) error {
	return s.Engine.Approve(ctx, s.cut.def, id, approvalStep, role, actor, why)
}

// Status returns the timeline of a run.
func (s *Service) Status(ctx context.Context, id string) (flow.Timeline, error) {
	d, err := s.definition(ctx, id)
	if err != nil {
		return flow.Timeline{}, err
	}
	return s.Engine.Status(ctx, d, id)
}

// StagePlan returns what a stage run decided on; false until it has.
func (s *Service) StagePlan(ctx context.Context, id string) (Plan, bool, error) {
	return flow.Result(ctx, s.Engine, id, s.stage.plan)
}

// StageResult returns what a stage run put into the bucket; false until it has.
func (s *Service) StageResult(ctx context.Context, id string) (Staged, bool, error) {
	return flow.Result(ctx, s.Engine, id, s.stage.staged)
}

// CutPlan returns the plan of the stage that a cut run publishes; false until
// it has found it.
func (s *Service) CutPlan(ctx context.Context, id string) (Plan, bool, error) {
	st, known, err := flow.Result(ctx, s.Engine, id, s.cut.staged)
	return st.Record.Plan, known, err
}

// CutVerdict returns what a cut run was judged by; false until it was. The
// verdict of one that is a NO-GO is in the run's log.
func (s *Service) CutVerdict(ctx context.Context, id string) (release.Verdict, bool, error) {
	return flow.Result(ctx, s.Engine, id, s.cut.verdict)
}

// Event is one line of a repository's release history.
type Event struct {
	Run      flow.Run      `json:"run"`
	Version  string        `json:"version,omitempty"` // empty until it was chosen
	Branch   string        `json:"branch,omitempty"`
	Commit   string        `json:"commit,omitempty"`
	Sentence string        `json:"sentence"`
	Took     time.Duration `json:"took"` // nanoseconds
}

// History lists the runs of a repository, newest first. A limit of 0 lists all.
func (s *Service) History(ctx context.Context, repo forge.RepoName, limit int) ([]Event, error) {
	var runs []flow.Run
	for _, d := range s.Definitions() {
		all, err := s.Engine.Journal.Runs(ctx, flow.RunFilter{Flow: d.Name()})
		if err != nil {
			return nil, fmt.Errorf("reading the releases of %s: %w", repo, err)
		}
		for _, run := range all {
			var of struct {
				Repo forge.RepoName `json:"repo"`
			}
			if json.Unmarshal(run.Params, &of) == nil && of.Repo == repo {
				runs = append(runs, run)
			}
		}
	}
	slices.SortStableFunc(runs, func(a, b flow.Run) int { return b.CreatedAt.Compare(a.CreatedAt) })
	if limit > 0 && len(runs) > limit {
		runs = runs[:limit]
	}
	events := make([]Event, 0, len(runs))
	for _, run := range runs {
		e, err := s.event(ctx, run)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

func (s *Service) event(ctx context.Context, run flow.Run) (Event, error) {
	e := Event{Run: run, Branch: branchOf(run)}
	t, err := s.Status(ctx, run.ID)
	if errors.Is(err, flow.ErrChanged) {
		e.Sentence = "begun by another version of the program"
		return e, nil
	}
	if err != nil {
		return e, err
	}
	e.Sentence = t.Sentence
	if n := len(t.Changes); n > 0 {
		e.Took = t.Changes[n-1].At.Sub(t.Changes[0].At)
	}
	plan, known := Plan{}, false
	switch run.Flow {
	case s.stage.def.Name():
		plan, known, err = s.StagePlan(ctx, run.ID)
	case s.cut.def.Name():
		plan, known, err = s.CutPlan(ctx, run.ID)
	case s.ci.def.Name():
		plan, known, err = flow.Result(ctx, s.Engine, run.ID, s.ci.plan)
	}
	if err != nil && !errors.Is(err, flow.ErrChanged) {
		return e, err
	}
	if known {
		e.Version, e.Branch, e.Commit = plan.Version().String(), plan.Branch, plan.Commit
	}
	return e, nil
}

// branchOf is the branch that a run was asked for; empty if it was asked for
// something that was staged.
func branchOf(run flow.Run) string {
	var asked struct {
		Branch string `json:"branch"`
	}
	if json.Unmarshal(run.Params, &asked) != nil {
		return "" // of another version of the program
	}
	return asked.Branch
}

func (s *Service) definition(ctx context.Context, id string) (*flow.Definition, error) {
	run, err := s.Engine.Journal.Run(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("reading run %s: %w", id, err)
	}
	for _, d := range s.Definitions() {
		if d.Name() == run.Flow {
			return d, nil
		}
	}
	return nil, fmt.Errorf("run %s is a %s, not a release: %w", id, run.Flow, flow.ErrNoRun)
}
