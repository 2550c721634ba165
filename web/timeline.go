package web

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release"
)

// releasePage is a run of a release flow. Steps that had nothing to do are told
// apart, since most projects need only some of what a release can be.
type releasePage struct {
	Flow     flowRow
	Repo     forge.RepoName
	Timeline flow.Timeline
	Says     string
	Public   string // tag of the page that the run published
	Gates    []gateRow
	Verdict  Mark
	Steps    []flow.StepStatus
	Idle     []flow.StepStatus
}

type gateRow struct {
	release.Gate
	Mark Mark
}

func (s *Site) release(r *http.Request) (view, error) {
	t, err := s.Releases.Status(r.Context(), r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	p := releasePage{Timeline: t}
	var of struct {
		Repo forge.RepoName `json:"repo"`
	}
	// Parameters that do not read leave the page without links to the repository.
	if json.Unmarshal(t.Run.Params, &of) == nil {
		p.Repo = of.Repo
	}
	version, err := s.versionOf(r.Context(), t.Run)
	if err != nil {
		return view{}, err
	}
	p.Flow = named(t.Run, version)
	for _, step := range t.Steps {
		if step.State == flow.StepSkipped {
			p.Idle = append(p.Idle, step)
		} else {
			p.Steps = append(p.Steps, step)
		}
	}
	p.Says = t.Sentence
	if t.Run.State == flow.Succeeded {
		p.Says = plural(len(p.Steps), "step", "steps") + " done"
		if n := len(p.Idle); n > 0 {
			p.Says += fmt.Sprintf(", %d had nothing to do", n)
		}
	}
	if t.Run.Flow == "cut" {
		verdict, known, err := s.Releases.CutVerdict(r.Context(), t.Run.ID)
		if err != nil {
			return view{}, err
		}
		if known {
			p.judged(verdict)
		}
		if t.Run.State == flow.Succeeded && !t.Run.Mock {
			p.Public = version
		}
	}
	return view{page: "release", Title: p.Flow.Title, Nav: "releases", Topics: "releases", Data: p}, nil
}

func (p *releasePage) judged(v release.Verdict) {
	p.Verdict = mark("fail", "no-go")
	if v.Go {
		p.Verdict = mark("pass", "go")
	}
	for _, g := range v.Gates {
		p.Gates = append(p.Gates, gateRow{g, gateMark(g.State)})
	}
}

func gateMark(s release.GateState) Mark {
	switch s {
	case release.Go:
		return mark("pass", "go")
	case release.NoGo:
		return mark("fail", "no-go")
	case release.Waived:
		return mark("flake", "waived")
	}
	return mark("fail", string(s))
}

// versionOf is what a run releases, empty until that was chosen.
func (s *Site) versionOf(ctx context.Context, run flow.Run) (string, error) {
	switch run.Flow {
	case "stage":
		plan, known, err := s.Releases.StagePlan(ctx, run.ID)
		if err != nil || !known {
			return "", err
		}
		return plan.Version().String(), nil
	case "cut":
		plan, known, err := s.Releases.CutPlan(ctx, run.ID)
		if err != nil || !known {
			return "", err
		}
		return plan.Version().String(), nil
	}
	return "", nil
}

// told keeps the attempts at a step that have something to tell. A single
// success that was silent has not, nor one that only says what its step says.
// The verdict is shown above the steps, so its record is left out.
func told(step flow.StepStatus) []flow.AttemptStatus {
	var all []flow.AttemptStatus
	for _, a := range step.Attempts {
		var log []flow.LogLine
		for _, l := range a.Log {
			if !strings.HasPrefix(l.Text, `verdict {"`) {
				log = append(log, l)
			}
		}
		a.Log = log
		all = append(all, a)
	}
	if len(all) == 1 && all[0].Error == "" && (len(all[0].Log) == 0 || len(all[0].Log) == 1 && all[0].Log[0].Text == step.Sentence) {
		return nil
	}
	return all
}

// Addresses, and numbers of issues and changes, in a sentence.
var reference = regexp.MustCompile(`https?://[^\s<>"']+|(?:^|\s)#[0-9]{1,9}\b`)

// linked writes a sentence with its addresses and numbers as links.
func linked(repo forge.RepoName, sentence string) template.HTML {
	var out strings.Builder
	from := 0
	for _, at := range reference.FindAllStringIndex(sentence, -1) {
		text := sentence[at[0]:at[1]]
		target, shown := strings.TrimRight(text, ".,;:)"), ""
		if number, ok := strings.CutPrefix(strings.TrimSpace(text), "#"); ok {
			if repo.Name == "" {
				continue
			}
			target, shown = "/"+repo.String()+"/issues/"+number, "#"+number
			at[0] = at[1] - len(shown)
		} else {
			if _, err := url.Parse(target); err != nil {
				continue
			}
			at[1] = at[0] + len(target)
			shown = target
		}
		out.WriteString(template.HTMLEscapeString(sentence[from:at[0]]))
		out.WriteString(`<a href="` + template.HTMLEscapeString(target) + `">` + template.HTMLEscapeString(shown) + `</a>`)
		from = at[1]
	}
	out.WriteString(template.HTMLEscapeString(sentence[from:]))
	return template.HTML(out.String())
}

// issue shows an issue, such as the one a release is followed in. The number of
// a change leads to the change, as on any forge.
func (s *Site) issue(r *http.Request) (view, error) {
	repo, err := repoOf(r)
	if err != nil {
		return view{}, err
	}
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		return view{}, errNoPage
	}
	type issuePage struct {
		Issue    forge.Issue
		Comments []forge.Comment
	}
	var p issuePage
	if p.Issue, err = s.Forge.Issue(r.Context(), repo, number); err != nil {
		return view{}, err
	}
	if p.Issue.IsPull {
		return s.change(r)
	}
	if p.Comments, err = s.Forge.Comments(r.Context(), repo, number); err != nil {
		return view{}, err
	}
	return view{page: "issue", Title: fmt.Sprintf("%s #%d", p.Issue.Title, number), Nav: "releases", Topics: "changes releases", Data: p}, nil
}

func issueMark(i forge.Issue) Mark {
	if i.State == forge.StateClosed {
		return mark("idle", "closed")
	}
	return mark("run", "open")
}
