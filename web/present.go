package web

import (
	"bytes"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/job"
)

// Mark is a state as the eye reads it: a colour that always comes with a shape
// and a word.
type Mark struct {
	Class string // pass, fail, flake, run, idle
	Shape string
	Word  string
}

var marks = map[string]Mark{
	"pass": {"pass", "●", ""}, "fail": {"fail", "✕", ""}, "flake": {"flake", "▲", ""},
	"run": {"run", "◐", ""}, "idle": {"idle", "○", ""},
}

func mark(class, word string) Mark {
	m := marks[class]
	m.Word = word
	return m
}

// functions are what templates may call.
func (s *Site) functions() template.FuncMap {
	return template.FuncMap{
		"ago":      func(t time.Time) template.HTML { return timeTag(t, ago(s.Now().Sub(t))) },
		"clock":    func(t time.Time) template.HTML { return timeTag(t, t.UTC().Format("15:04:05")) },
		"day":      func(t time.Time) template.HTML { return timeTag(t, t.UTC().Format("2 Jan 2006 15:04 UTC")) },
		"took":     took,
		"short":    short,
		"markdown": markdown,
		"bytes":    byteSize,
		"build":    shortBuild,
		"runMark":  runMark,
		"took2":    func(e job.Execution) string { return took(s.duration(e)) },
		"stepMark": stepMark,
		"flowMark": flowMark,
		"pullMark": pullMark,
		"tabMark":  tabMark,
		"context":  statusMark,
		"cause":    cause,
		"version":  func() string { return s.Version },
		"number":   number,
		"many":     many,
		"plural":   plural,
		"story":    storyMark,
		"plain":    plain,
		"told":     told,
		"linked":   linked,
		"issue":    issueMark,
		"signed":   signed,
	}
}

// signed reports a release whose checksums are signed.
func signed(r forge.Release) bool {
	return slices.ContainsFunc(r.Assets, func(a forge.Asset) bool { return a.Name == "SHA256SUMS.sigstore.json" })
}

func (s *Site) duration(e job.Execution) time.Duration {
	switch {
	case e.StartedAt.IsZero():
		return 0
	case e.FinishedAt.IsZero():
		return s.Now().Sub(e.StartedAt)
	}
	return e.FinishedAt.Sub(e.StartedAt)
}

func timeTag(t time.Time, text string) template.HTML {
	if t.IsZero() {
		return ""
	}
	stamp := t.UTC().Format(time.RFC3339)
	return template.HTML(`<time datetime="` + stamp + `" title="` + stamp + `">` + template.HTMLEscapeString(text) + `</time>`)
}

func ago(d time.Duration) string {
	switch {
	case d < 5*time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// took writes a duration as m:ss, or with a tenth below ten seconds, and one that
// would round to nothing not at all.
func took(d time.Duration) string {
	switch {
	case d < 50*time.Millisecond:
		return ""
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}

func short(sha string) string { return sha[:min(len(sha), 9)] }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// agreeing puts a number before words that agree with it.
func agreeing(n int, one, many string) string { return fmt.Sprintf("%d %s", n, verb(n, one, many)) }

// verb is the form of a verb that agrees with a number.
func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func byteSize(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f kB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
}

// markdown renders what people wrote. Raw HTML in it is left out, so nobody
// can put script into a page.
func markdown(text string) template.HTML {
	var out bytes.Buffer
	if err := goldmark.New(goldmark.WithExtensions(extension.GFM)).Convert([]byte(text), &out); err != nil {
		return template.HTML("<pre>" + template.HTMLEscapeString(text) + "</pre>")
	}
	return template.HTML(out.String())
}

// plain leaves out of a status what only the merge queue reads.
func plain(description string) string {
	text, _, _ := strings.Cut(description, " BaseSHA:")
	return text
}

func runMark(e job.Execution) Mark {
	switch e.State {
	case job.Success:
		return mark("pass", "passed")
	case job.Failure:
		return mark("fail", "failed")
	case job.Errored:
		return mark("fail", "could not run")
	case job.Aborted:
		return mark("idle", "stopped")
	case job.Pending:
		return mark("run", "running")
	}
	return mark("idle", "waiting")
}

func stepMark(s flow.StepState) Mark {
	switch s {
	case flow.StepDone, flow.StepLooked:
		return mark("pass", string(s))
	case flow.StepSkipped, flow.StepPending, flow.StepCanceled:
		return mark("idle", string(s))
	case flow.StepRunning:
		return mark("run", string(s))
	case flow.StepWaiting:
		return mark("flake", string(s))
	}
	return mark("fail", string(s))
}

func flowMark(s flow.State) Mark {
	switch s {
	case flow.Succeeded:
		return mark("pass", "done")
	case flow.Failed:
		return mark("fail", "failed")
	case flow.Running:
		return mark("run", "running")
	case flow.Waiting:
		return mark("flake", "waits for approval")
	case flow.Canceled:
		return mark("idle", "abandoned")
	}
	return mark("idle", "not started")
}

func pullMark(p forge.PullRequest) Mark {
	switch {
	case p.Merged:
		return mark("pass", "merged")
	case p.State == forge.StateClosed:
		return mark("idle", "closed")
	case p.Draft:
		return mark("idle", "draft")
	}
	return mark("run", "open")
}

func statusMark(s forge.StatusState) Mark {
	switch s {
	case forge.StatusSuccess:
		return mark("pass", "passed")
	case forge.StatusPending:
		return mark("run", "pending")
	}
	return mark("fail", "failed")
}

func tabMark(s grid.Status) Mark {
	word := strings.ToLower(string(s))
	switch s {
	case grid.Passing:
		return mark("pass", word)
	case grid.Failing, grid.Broken:
		return mark("fail", word)
	case grid.Flaky, grid.Acceptable:
		return mark("flake", word)
	}
	return mark("idle", word)
}

func storyMark(state string) Mark {
	switch state {
	case "done":
		return mark("pass", state)
	case "failed":
		return mark("fail", state)
	case "running":
		return mark("run", state)
	}
	return mark("idle", state)
}

// cause says in a few words what an execution was about.
func cause(e job.Execution) string {
	switch {
	case len(e.Refs.Pulls) > 0:
		p := e.Refs.Pulls[0]
		return fmt.Sprintf("#%d %s", p.Number, p.Title)
	case e.Refs.BaseRef != "":
		return e.Refs.BaseRef + " at " + short(e.Refs.BaseSHA)
	}
	return "on schedule"
}
