package cut

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release"
)

// NoGoError is a release that is not ready. Callers exit with 3.
type NoGoError struct {
	Version string
	Verdict release.Verdict
}

// Error implements error with every reason.
func (e *NoGoError) Error() string {
	return fmt.Sprintf("NO-GO for %s: %s", e.Version, strings.Join(e.Verdict.Reasons, "; "))
}

// Evidence is where the facts of a release come from, and where what was
// decided by them is kept.
type Evidence interface {
	// Facts collects what a release is judged by. Facts that could not be had
	// say so; an error is only for what keeps anything from being judged.
	Facts(ctx context.Context, p Plan) (release.Facts, error)
	// SignOffs lists who has signed off which commits of a repository.
	SignOffs(ctx context.Context, repo forge.RepoName) ([]release.SignOff, error)
	// Record keeps a verdict with its facts.
	Record(ctx context.Context, f release.Facts, v release.Verdict, mock bool) error
}

// judge decides whether the release may go out. The verdict and its evidence
// are written to the journal whatever it is. A rehearsal is told what would
// keep the release back, and goes on.
func (s *Service) judge(ctx context.Context, st staged) (release.Verdict, error) {
	f, err := s.facts(ctx, st.Record.Plan, flow.Mock(ctx))
	if err != nil {
		return release.Verdict{}, err
	}
	v := f.Verdict()
	if len(v.Gates) == 0 {
		return release.Verdict{Go: true}, flow.Skip("no gates are set up")
	}
	if s.Evidence != nil {
		if err := s.Evidence.Record(ctx, f, v, flow.Mock(ctx)); err != nil {
			return v, err
		}
	}
	evidence, err := json.Marshal(v)
	if err != nil {
		return v, fmt.Errorf("recording the verdict: %w", err)
	}
	flow.Logf(ctx, "verdict %s", evidence)
	switch {
	case v.Go:
		flow.Progress(ctx, "GO: %s%s", count(len(v.Gates), "gate", "gates"), waived(v))
	case flow.Mock(ctx):
		flow.Progress(ctx, "would be NO-GO: %s", strings.Join(v.Reasons, "; "))
	default:
		return v, flow.Permanent(&NoGoError{Version: st.version().String(), Verdict: v})
	}
	return v, nil
}

// waived says what a verdict lets pass.
func waived(v release.Verdict) string {
	if len(v.Reasons) == 0 {
		return ""
	}
	return "; " + strings.Join(v.Reasons, "; ")
}

// Verdict judges a staged build, or one that is only planned, now.
func (s *Service) Verdict(ctx context.Context, p Plan) (release.Verdict, error) {
	f, err := s.facts(ctx, p, false)
	if err != nil {
		return release.Verdict{}, err
	}
	return f.Verdict(), nil
}

// Readiness judges a release together with what people have signed off, and
// keeps the verdict with its facts.
func (s *Service) Readiness(ctx context.Context, p Plan) (release.Facts, release.Verdict, error) {
	f, err := s.facts(ctx, p, false)
	if err != nil {
		return f, release.Verdict{}, err
	}
	if f.SignOffs, err = s.signedOff(ctx, p); err != nil {
		return f, release.Verdict{}, err
	}
	v := f.Verdict()
	if s.Evidence != nil {
		err = s.Evidence.Record(ctx, f, v, false)
	}
	return f, v, err
}

// facts are what a release is judged by. Those of people are asked for later.
func (s *Service) facts(ctx context.Context, p Plan, mock bool) (release.Facts, error) {
	var f release.Facts
	var err error
	if s.Evidence != nil {
		if f, err = s.Evidence.Facts(ctx, p); err != nil {
			return f, fmt.Errorf("judging %s: %w", p.Version(), err)
		}
	}
	f.Repo, f.Branch, f.Version, f.Commit, f.At = p.Repo.String(), p.Branch, p.Version().String(), p.Commit, s.Engine.Now().UTC()
	if s.Gates != nil {
		if f.Given, err = s.Gates(ctx, p); err != nil {
			return f, fmt.Errorf("judging %s: %w", p.Version(), err)
		}
	}
	if p.Project.Rehearse && !mock {
		found, err := s.rehearsal(ctx, p)
		if err != nil {
			return f, err
		}
		f.Rehearsal = &release.RehearsalFacts{Found: found, Want: p.Version()}
	}
	return f, nil
}

// signedOff is nil where nobody need sign off.
func (s *Service) signedOff(ctx context.Context, p Plan) (*release.SignOffFacts, error) {
	if len(p.Project.Approvals) == 0 {
		return nil, nil
	}
	f := &release.SignOffFacts{Roles: p.Project.Approvals}
	if s.Evidence == nil {
		return f, nil
	}
	all, err := s.Evidence.SignOffs(ctx, p.Repo)
	if err != nil {
		return nil, fmt.Errorf("looking for who has signed %s off: %w", p.Version(), err)
	}
	for _, o := range all {
		if o.Commit == p.Commit {
			f.Given = append(f.Given, o)
		}
	}
	return f, nil
}

// signOffs are those given before a cut, and the roles it still has to ask.
type signOffs struct {
	Given []release.SignOff `json:"given,omitempty"`
	Ask   []string          `json:"ask,omitempty"`
}

// collectSignOffs finds out whom the cut must ask. A rehearsal asks nobody.
func (s *Service) collectSignOffs(ctx context.Context, st staged) (signOffs, error) {
	p := st.Record.Plan
	if flow.Mock(ctx) || len(p.Project.Approvals) == 0 {
		return signOffs{}, flow.Skip("nobody need approve")
	}
	f, err := s.signedOff(ctx, p)
	if err != nil {
		return signOffs{}, err
	}
	out := signOffs{Given: f.Given, Ask: f.Left(p.Commit)}
	for _, o := range f.Given {
		flow.Logf(ctx, "%s signed off as %s at %s: %s", o.By, o.Role, o.At.UTC().Format("2006-01-02 15:04 UTC"), o.Why)
	}
	flow.Progress(ctx, "%d of %s", len(p.Project.Approvals)-len(out.Ask), count(len(p.Project.Approvals), "role", "roles"))
	return out, nil
}

// rehearsal finds the newest mock cut of the build against where it goes now.
func (s *Service) rehearsal(ctx context.Context, p Plan) (release.Rehearsal, error) {
	runs, err := s.Engine.Journal.Runs(ctx, flow.RunFilter{Flow: s.cut.def.Name()})
	if err != nil {
		return release.Rehearsal{}, fmt.Errorf("looking for a rehearsal of %s: %w", p.Version(), err)
	}
	var elsewhere string
	for _, run := range runs {
		var r CutRequest
		if !run.Mock || json.Unmarshal(run.Params, &r) != nil || r.Repo != p.Repo || r.BuildVersion != p.BuildVersion {
			continue
		}
		if r.Destination != s.Destination {
			elsewhere = cmp.Or(elsewhere, r.Destination, "another place")
			continue
		}
		// The build version says which version and commit were rehearsed.
		return release.Rehearsal{Version: p.Version(), Commit: p.Commit, State: string(run.State), Run: run.ID, At: run.UpdatedAt}, nil
	}
	return release.Rehearsal{Elsewhere: elsewhere}, nil
}
