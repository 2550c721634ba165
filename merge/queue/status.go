package queue

import (
	"context"
	"errors"
	"fmt"

	"seaworthy/forge"
	"seaworthy/merge"
)

// maxDescription is the longest status description forges take, in characters.
const maxDescription = 140

// show sets the queue's status on every pull request whose status says
// something else.
func (q *Queue) show(ctx context.Context, pool merge.Pool, next merge.Action, s *branchState) error {
	for _, st := range pool.Standings(next) {
		c := member(pool, st.Number)
		want := forge.Status{
			Context:     merge.QueueContext,
			State:       forge.StatusPending,
			Description: clip(st.Text),
			TargetURL:   q.opt.TargetURL(pool.Repo, pool.Branch),
		}
		if st.Ready {
			want.State = forge.StatusSuccess
		}
		key := shownKey{st.Number, c.PR.Head.SHA}
		text := string(want.State) + " " + want.Description
		have, err := q.shown(ctx, c, key, s)
		if err != nil {
			return err
		}
		if have == text {
			continue
		}
		err = q.opt.Forge.SetStatus(ctx, pool.Repo, c.PR.Head.SHA, want)
		if errors.Is(err, forge.ErrNotFound) || errors.Is(err, forge.ErrInvalid) {
			// The head is gone (a fork deleted, a push under way). It is no
			// reason to hold up the others.
			q.opt.Log.Warn("cannot show the queue's status", "repo", pool.Repo, "pull", st.Number, "error", err)
			continue
		}
		if err != nil {
			return fmt.Errorf("show the queue's status on %s#%d: %w", pool.Repo, st.Number, err)
		}
		s.shown[key] = text
	}
	return nil
}

// shown returns the status as it is on the forge, asking only if the queue does
// not know.
func (q *Queue) shown(ctx context.Context, c merge.Candidate, key shownKey, s *branchState) (string, error) {
	if text, ok := s.shown[key]; ok {
		return text, nil
	}
	results := c.Results
	if results == nil {
		statuses, err := q.opt.Forge.Statuses(ctx, c.PR.Repo, c.PR.Head.SHA)
		if err != nil {
			return "", fmt.Errorf("read the statuses of %s#%d: %w", c.PR.Repo, c.PR.Number, err)
		}
		results = merge.Results(statuses, nil)
	}
	for _, r := range results {
		if r.Context == merge.QueueContext {
			s.shown[key] = string(r.State) + " " + r.Description
		}
	}
	return s.shown[key], nil
}

// clip shortens a sentence to what a status can hold.
func clip(s string) string {
	r := []rune(s)
	if len(r) <= maxDescription {
		return s
	}
	return string(r[:maxDescription-1]) + "…"
}
