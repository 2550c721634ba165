package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"seaworthy/forge"
	"seaworthy/job"
)

// maxDescription is the length of a status description in bytes that every
// forge takes.
const maxDescription = 140

// abortPrefix begins the description of an aborted execution.
const abortPrefix = "Job aborted: "

// reason returns why an execution was aborted.
func reason(e job.Execution) string {
	return strings.TrimSuffix(strings.TrimPrefix(e.Description, abortPrefix), ".")
}

// report sets the status of an execution on the forge, unless it reports
// nothing or a newer one of the same job speaks for the commit. An error means
// that it may work later; what the forge will never take is only logged.
func (s *Service) report(ctx context.Context, e job.Execution) error {
	repo, ok := repoOf(e)
	if !e.Report || e.Context == "" || !ok {
		return nil
	}
	newest, err := s.newest(ctx, e)
	if err != nil {
		return fmt.Errorf("reporting on %s: %w", e.Job, err)
	}
	if newest != e.ID {
		return nil
	}
	err = s.o.Forge.SetStatus(ctx, repo, shaOf(e), statusOf(e, s.o.BaseURL))
	if errors.Is(err, forge.ErrNotFound) || errors.Is(err, forge.ErrInvalid) {
		s.o.Log.WarnContext(ctx, "the forge does not take a status", "execution", e.ID, "repo", repo.String(), "sha", shaOf(e), "error", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("setting status %s on %s of %s: %w", e.Context, shaOf(e), repo, err)
	}
	return nil
}

// newest returns the newest execution of the same job on the same change.
func (s *Service) newest(ctx context.Context, e job.Execution) (id string, err error) {
	f := job.ExecutionFilter{Repo: e.Refs.Org + "/" + e.Refs.Repo, Job: e.Job, Type: e.Type, SHA: shaOf(e), Limit: 1}
	if len(e.Refs.Pulls) > 0 {
		f.Pull = e.Refs.Pulls[0].Number
	}
	same, err := s.o.Store.Executions(ctx, f)
	if err != nil {
		return "", err
	}
	if len(same) == 0 {
		return e.ID, nil
	}
	return same[0].ID, nil
}

// knownWithin bounds how long the verdict waits for what is known elsewhere.
const knownWithin = 10 * time.Second

// excused is the description of an execution that is over. That of a presubmit
// that failed says which of its failures the target branch knows. Nobody waits
// long for that, and the verdict does not depend on it.
func (s *Service) excused(ctx context.Context, e job.Execution) string {
	if s.o.Known == nil || e.Type != job.Presubmit || e.State != job.Failure {
		return e.Description
	}
	bounded, cancel := context.WithTimeout(ctx, knownWithin)
	defer cancel()
	known, err := s.o.Known(bounded, e)
	if err != nil {
		s.o.Log.WarnContext(ctx, "what the target branch knows of failures is not said", "execution", e.ID, "error", err)
	}
	if known == "" || err != nil {
		return e.Description
	}
	said := strings.TrimSuffix(e.Description, ".")
	link := ": "
	if strings.Contains(said, ": ") {
		link = "; "
	}
	return clip(said+link+known+".", maxDescription)
}

// statusOf is what the forge shows of an execution, in Prow's terms: an
// aborted one is a failure. A required presubmit's description ends with the
// base it ran on, for its result counts at that base alone
// (sigs.k8s.io/prow, config.ContextDescriptionWithBaseSha).
func statusOf(e job.Execution, baseURL string) forge.Status {
	st := forge.Status{Context: e.Context, State: forge.StatusPending, Description: clip(e.Description, maxDescription),
		TargetURL: baseURL + "/runs/" + e.BuildID}
	switch e.State {
	case job.Success:
		st.State = forge.StatusSuccess
	case job.Failure, job.Aborted:
		st.State = forge.StatusFailure
	case job.Errored:
		st.State = forge.StatusError
	}
	if e.Type == job.Presubmit && !e.Optional && e.Refs.BaseSHA != "" {
		suffix := " BaseSHA:" + e.Refs.BaseSHA
		st.Description = clip(e.Description, maxDescription-len(suffix)) + suffix
	}
	return st
}

// clip shortens s to at most n bytes, at a rune's boundary.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "?")
	if len(s) <= n {
		return s
	}
	const more = "…"
	cut := n - len(more)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + more
}
