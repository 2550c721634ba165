package cut

import (
	"context"
	"fmt"
	"strings"
	"time"

	"seaworthy/flow"
	"seaworthy/forge"
)

// Tracker holds issues and milestones.
type Tracker interface {
	Issue(ctx context.Context, repo forge.RepoName, number int) (forge.Issue, error)
	Issues(ctx context.Context, repo forge.RepoName, f forge.IssueFilter) ([]forge.Issue, error)
	CreateIssue(ctx context.Context, repo forge.RepoName, n forge.NewIssue) (forge.Issue, error)
	EditIssue(ctx context.Context, repo forge.RepoName, number int, e forge.EditIssue) error
	Milestones(ctx context.Context, repo forge.RepoName, state string) ([]forge.Milestone, error)
	CreateMilestone(ctx context.Context, repo forge.RepoName, m forge.Milestone) (forge.Milestone, error)
	EditMilestone(ctx context.Context, repo forge.RepoName, m forge.Milestone) error
}

// Issue asks for an issue that goes with every release.
type Issue struct {
	Labels []string `json:"labels,omitempty"`
}

// issue is the release's issue at the forge.
type issue struct {
	Repo   forge.RepoName `json:"repo"`
	Number int            `json:"number"`
	URL    string         `json:"url,omitempty"`
}

// IssueTitle is the title of the issue of a release. Whoever fast-forwards a
// branch looks for it.
func IssueTitle(version string) string { return "Cut " + version + " release" }

// issueMark is how the issue of a release is known again, whatever people make
// of its title.
func issueMark(p Plan) string {
	return fmt.Sprintf("<!-- seaworthy: the release of %s %s -->", p.Repo, p.Version())
}

// skipIssue says why a release has no issue; nil if it has one.
func (s *Service) skipIssue(ctx context.Context, p Plan) error {
	switch {
	case p.Project.Issue == nil:
		return flow.Skip("the project wants no issue")
	case s.Tracker == nil:
		return flow.Skip("there are no issues at this forge")
	case flow.Mock(ctx):
		return flow.Skip("a rehearsal opens no issue")
	}
	return nil
}

// issueThere looks for the open issue of the release: the stage opens it, and
// the cut goes on with it. One that was closed meanwhile is to be opened again.
func (s *Service) issueThere(ctx context.Context, p Plan) (issue, bool, error) {
	if err := s.skipIssue(ctx, p); err != nil {
		return issue{}, false, err
	}
	found, err := s.findIssue(ctx, p)
	if err != nil || found == nil || found.State == forge.StateClosed {
		return issue{}, false, err
	}
	return issue{p.Repo, found.Number, found.HTMLURL}, true, nil
}

// findIssue looks for the issue of the release, among the open ones and then
// among all; nil if there is none.
func (s *Service) findIssue(ctx context.Context, p Plan) (*forge.Issue, error) {
	for _, state := range []string{"open", "all"} {
		some, err := s.Tracker.Issues(ctx, p.Repo, forge.IssueFilter{State: state})
		if err != nil {
			return nil, lasting(fmt.Errorf("looking for the issue of %s: %w", p.Version(), err))
		}
		for _, i := range some {
			if !i.IsPull && strings.Contains(i.Body, issueMark(p)) {
				return &i, nil
			}
		}
	}
	return nil, nil
}

// openIssue opens the issue, again if somebody has closed it: what people wrote
// there is worth more than a second one.
func (s *Service) openIssue(ctx context.Context, p Plan) (issue, error) {
	closed, err := s.findIssue(ctx, p)
	if err != nil {
		return issue{}, err
	}
	if closed != nil {
		open := forge.StateOpen
		if err := s.Tracker.EditIssue(ctx, p.Repo, closed.Number, forge.EditIssue{State: &open}); err != nil {
			return issue{}, lasting(fmt.Errorf("opening issue #%d of %s again: %w", closed.Number, p.Version(), err))
		}
		flow.Progress(ctx, "#%d, again", closed.Number)
		return issue{p.Repo, closed.Number, closed.HTMLURL}, nil
	}
	body := fmt.Sprintf("%s\n%s is released from `%s` at %s. This is kept current by the release itself; what is written outside the lists stays.\n",
		issueMark(p), p.Version(), p.Branch, p.Commit)
	i, err := s.Tracker.CreateIssue(ctx, p.Repo, forge.NewIssue{Title: IssueTitle(p.Version().String()), Body: body, Labels: p.Project.Issue.Labels})
	if err != nil {
		return issue{}, lasting(fmt.Errorf("opening the issue of %s (release.issue.open: never does without): %w", p.Version(), err))
	}
	flow.Progress(ctx, "#%d", i.Number)
	return issue{p.Repo, i.Number, i.HTMLURL}, nil
}

// issueClosed looks whether the issue is closed. There may be none.
func (s *Service) issueClosed(ctx context.Context, i issue) (flow.Nothing, bool, error) {
	if i.Number == 0 || s.Tracker == nil {
		return flow.Nothing{}, false, flow.Skip("the release has no issue")
	}
	have, err := s.Tracker.Issue(ctx, i.Repo, i.Number)
	if err != nil {
		return flow.Nothing{}, false, lasting(fmt.Errorf("looking at issue #%d: %w", i.Number, err))
	}
	return flow.Nothing{}, have.State == forge.StateClosed, nil
}

func (s *Service) closeIssue(ctx context.Context, i issue) (flow.Nothing, error) {
	closed := forge.StateClosed
	if err := s.Tracker.EditIssue(ctx, i.Repo, i.Number, forge.EditIssue{State: &closed}); err != nil {
		return flow.Nothing{}, lasting(fmt.Errorf("closing issue #%d: %w", i.Number, err))
	}
	flow.Progress(ctx, "#%d", i.Number)
	return flow.Nothing{}, nil
}

// ReportToIssue brings the list of a run's steps in the release's issue up to
// date, and reports whether there was something to change. A run without an
// issue has nothing to report to.
func (s *Service) ReportToIssue(ctx context.Context, id string) (changed bool, err error) {
	run, err := s.Engine.Journal.Run(ctx, id)
	if err != nil {
		return false, fmt.Errorf("reporting run %s: %w", id, err)
	}
	value := s.cut.issue
	switch run.Flow {
	case s.stage.def.Name():
		value = s.stage.issue
	case s.cut.def.Name():
	default:
		return false, nil
	}
	i, known, err := flow.Result(ctx, s.Engine, id, value)
	if err != nil || !known || i.Number == 0 || s.Tracker == nil {
		return false, err
	}
	t, err := s.Status(ctx, id)
	if err != nil {
		return false, err
	}
	have, err := s.Tracker.Issue(ctx, i.Repo, i.Number)
	if err != nil {
		return false, fmt.Errorf("reporting run %s: reading issue #%d of %s: %w", id, i.Number, i.Repo, err)
	}
	body := fence(have.Body, run.Flow, Checklist(t))
	if body == have.Body {
		return false, nil
	}
	if err := s.Tracker.EditIssue(ctx, i.Repo, i.Number, forge.EditIssue{Body: &body}); err != nil {
		return false, fmt.Errorf("reporting run %s: editing issue #%d of %s: %w", id, i.Number, i.Repo, err)
	}
	return true, nil
}

// fence puts text between the marks of a name, in the place of what was there,
// or at the end. What people wrote around it stays.
func fence(body, name, text string) string {
	begin, end := "<!-- seaworthy "+name+" -->\n", "<!-- end of seaworthy "+name+" -->"
	// A forge may give back other line ends than it was given.
	body = strings.ReplaceAll(body, "\r\n", "\n")
	from := strings.Index(body, begin)
	if from >= 0 {
		if to := strings.Index(body[from:], end); to >= 0 {
			return body[:from] + begin + text + body[from+to:]
		}
	}
	return strings.TrimRight(body, "\n") + "\n\n" + begin + text + end + "\n"
}

// Checklist is a run as a list in Markdown with a box for each step. It changes
// when a step begins or ends and not while one goes on.
func Checklist(t flow.Timeline) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s: %s\n\n", strings.ToUpper(t.Run.Flow[:1])+t.Run.Flow[1:], t.Run.State)
	for _, step := range t.Steps {
		box := " "
		if step.State.Over() {
			box = "x"
		}
		fmt.Fprintf(&b, "- [%s] %s%s\n", box, step.Title, stepSays(step))
	}
	return b.String() + "\n"
}

// stepSays is what there is to say of a step beside its title.
func stepSays(step flow.StepStatus) string {
	switch step.State {
	case flow.StepPending:
		return ""
	case flow.StepDone:
		if step.Duration >= time.Second {
			return " (" + step.Duration.Round(time.Second).String() + ")"
		}
		return ""
	case flow.StepRunning:
		return ": **running**"
	case flow.StepLooked:
		return " (was done already)"
	case flow.StepSkipped:
		return " (skipped: " + inert(step.Sentence) + ")"
	}
	return ": **" + string(step.State) + "** " + inert(step.Sentence)
}

// inert writes a sentence as code, on one line and not too long: an error may
// quote anything, and must neither format the page nor call people by name.
func inert(sentence string) string {
	words := []rune(strings.Join(strings.Fields(strings.ReplaceAll(sentence, "`", "'")), " "))
	if len(words) == 0 {
		return ""
	}
	if len(words) > 300 {
		words = append(words[:299], '…')
	}
	return "`" + string(words) + "`"
}

// Bulletin returns the channel that is to show a run, and what the run is in a
// few words; an empty channel if there is none, or none is known yet.
func (s *Service) Bulletin(ctx context.Context, id string) (channel, title string, err error) {
	run, err := s.Engine.Journal.Run(ctx, id)
	if err != nil {
		return "", "", fmt.Errorf("looking at run %s: %w", id, err)
	}
	var p Plan
	known := false
	switch run.Flow {
	case s.stage.def.Name():
		p, known, err = s.StagePlan(ctx, id)
	case s.cut.def.Name():
		p, known, err = s.CutPlan(ctx, id)
	}
	if err != nil || !known {
		return "", "", err
	}
	return p.Project.Chat, fmt.Sprintf("%s %s %s", run.Flow, p.Repo, p.Version()), nil
}
