package cut

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"seaworthy/flow"
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

// judge decides whether the release may go out. The verdict and its evidence
// are written to the journal whatever it is. A rehearsal is told what would
// keep the release back, and goes on.
func (s *Service) judge(ctx context.Context, st staged) (release.Verdict, error) {
	gates, err := s.gates(ctx, st.Record.Plan, flow.Mock(ctx))
	if err != nil {
		return release.Verdict{}, err
	}
	if len(gates) == 0 {
		return release.Verdict{Go: true}, flow.Skip("no gates are set up")
	}
	v := release.Decide(gates)
	evidence, err := json.Marshal(v)
	if err != nil {
		return v, fmt.Errorf("recording the verdict: %w", err)
	}
	flow.Logf(ctx, "verdict %s", evidence)
	switch {
	case v.Go:
		flow.Progress(ctx, "GO: %d gates", len(gates))
	case flow.Mock(ctx):
		flow.Progress(ctx, "would be NO-GO: %s", strings.Join(v.Reasons, "; "))
	default:
		return v, flow.Permanent(&NoGoError{Version: st.version().String(), Verdict: v})
	}
	return v, nil
}

// Verdict judges a staged build, or one that is only planned, now.
func (s *Service) Verdict(ctx context.Context, p Plan) (release.Verdict, error) {
	gates, err := s.gates(ctx, p, false)
	if err != nil {
		return release.Verdict{}, err
	}
	return release.Decide(gates), nil
}

func (s *Service) gates(ctx context.Context, p Plan, mock bool) ([]release.Gate, error) {
	var gates []release.Gate
	if s.Gates != nil {
		var err error
		if gates, err = s.Gates(ctx, p); err != nil {
			return nil, fmt.Errorf("judging %s: %w", p.Version(), err)
		}
	}
	if p.Project.Rehearse && !mock {
		r, err := s.rehearsal(ctx, p)
		if err != nil {
			return nil, err
		}
		gates = append(gates, release.RehearsalGate(r, p.Version(), p.Commit))
	}
	return gates, nil
}

// rehearsal finds the newest mock cut of the build.
func (s *Service) rehearsal(ctx context.Context, p Plan) (release.Rehearsal, error) {
	runs, err := s.Engine.Journal.Runs(ctx, flow.RunFilter{Flow: s.cut.def.Name()})
	if err != nil {
		return release.Rehearsal{}, fmt.Errorf("looking for a rehearsal of %s: %w", p.Version(), err)
	}
	for _, run := range runs {
		var r CutRequest
		if !run.Mock || json.Unmarshal(run.Params, &r) != nil || r.Repo != p.Repo || r.BuildVersion != p.BuildVersion {
			continue
		}
		// The build version says which version and commit were rehearsed.
		return release.Rehearsal{Version: p.Version(), Commit: p.Commit, State: string(run.State), Run: run.ID, At: run.UpdatedAt}, nil
	}
	return release.Rehearsal{}, nil
}
