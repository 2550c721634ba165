package run

import (
	"context"
	"fmt"

	"seaworthy/job"
)

// Submit runs a program that no configuration names, as somebody asks for it,
// on a commit of Request.Branch: its tip if BaseSHA is empty. It is shown as a
// postsubmit of that name and sets no status. Jobs, Pull and Batch of the
// request do not count; with a Key it runs once.
func (s *Service) Submit(ctx context.Context, r Request, name string, spec job.Spec) (job.Execution, error) {
	refs, err := s.refs(ctx, r)
	if err != nil {
		return job.Execution{}, fmt.Errorf("starting %s: %w", name, err)
	}
	e := job.Execution{Job: name, Type: job.Postsubmit, Refs: refs, Spec: spec, Optional: true, Cause: r.Cause, State: job.Triggered}
	if r.Key != "" {
		e.Key = r.Key + "/" + name
	}
	if e, err = s.launch(ctx, e); err != nil {
		return e, fmt.Errorf("starting %s: %w", name, err)
	}
	return e, nil
}
