package web

import (
	"fmt"
	"html/template"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/grid/history"
	"seaworthy/job"
	"seaworthy/job/steps"
	"seaworthy/release/train"
	"seaworthy/signal/verdict"
	"seaworthy/triage/live"
)

// marked is a state and the mark it is shown with.
type marked struct {
	state string
	mark  Mark
	class string // what it is to look like
}

func each[S ~string](of func(S) Mark, pairs ...any) []marked {
	var all []marked
	for i := 0; i+1 < len(pairs); i += 2 {
		s := pairs[i].(S)
		all = append(all, marked{fmt.Sprintf("%T %s", s, s), of(s), pairs[i+1].(string)})
	}
	return all
}

// Every state has a colour, a shape and a word of its own: whoever sees no
// colours, or nothing at all, can tell good from bad, and any two states apart.
func TestEveryStateHasAMark(t *testing.T) {
	t.Parallel()
	run := func(s job.State) Mark { return runMark(job.Execution{State: s}) }
	for _, family := range [][]marked{
		each(run, job.Success, "pass", job.Failure, "fail", job.Errored, "fail", job.Aborted, "idle", job.Pending, "run", job.Triggered, "idle"),
		each(stepMark, flow.StepDone, "pass", flow.StepLooked, "pass", flow.StepSkipped, "idle", flow.StepPending, "idle", flow.StepCanceled, "idle", flow.StepRunning, "run", flow.StepWaiting, "flake", flow.StepFailed, "fail", flow.StepHung, "fail"),
		each(flowMark, flow.Succeeded, "pass", flow.Failed, "fail", flow.Running, "run", flow.Waiting, "flake", flow.Canceled, "idle", flow.Pending, "idle"),
		each(statusMark, forge.StatusSuccess, "pass", forge.StatusPending, "run", forge.StatusFailure, "fail"),
		each(tabMark, grid.Passing, "pass", grid.Failing, "fail", grid.Broken, "fail", grid.Flaky, "flake", grid.Acceptable, "flake", grid.Stale, "idle", grid.Pending, "idle", grid.Unknown, "idle"),
		each(func(s string) Mark { return storyMark(s) }, "done", "pass", "failed", "fail", "running", "run", "pending", "idle"),
		each(colorMark, verdict.Green, "pass", verdict.Yellow, "flake", verdict.Red, "fail"),
		each(jobMark, verdict.Passing, "pass", verdict.Flaky, "flake", verdict.Failing, "fail", verdict.Unknown, "idle"),
		each(historyMark, history.Passing, "pass", history.Flaky, "flake", history.Broken, "fail", history.Unknown, "idle"),
		each(trendMark, live.TrendNew, "fail", live.TrendRising, "fail", live.TrendFalling, "pass", live.TrendGone, "pass", live.TrendSteady, "idle"),
		each(trainMark, train.Ready, "pass", train.Blocked, "fail", train.Rehearsing, "run", train.Staging, "run", train.Cutting, "run", train.SigningOff, "flake", train.Staged, "flake", train.Nothing, "idle", train.Unknown, "idle"),
		each(buildMark, steps.Succeeded, "pass", steps.Failed, "fail", steps.TimedOut, "fail", steps.Allowed, "flake", steps.Running, "run", steps.Waiting, "idle", steps.Stopped, "idle", steps.NotRun, "idle"),
	} {
		words, shapes := map[string]string{}, map[string]string{}
		for _, m := range family {
			if m.mark.Class != m.class || m.mark.Word == "" || m.mark.Shape == "" {
				t.Errorf("%s: %+v, want the class %s, a shape and a word", m.state, m.mark, m.class)
			}
			if other, twice := words[m.mark.Word]; twice {
				t.Errorf("%s and %s are both called %q", m.state, other, m.mark.Word)
			}
			words[m.mark.Word] = m.state
			// Good and bad never have one shape.
			if class, ok := shapes[m.mark.Shape]; ok && class != m.mark.Class && (class == "pass" || class == "fail") {
				t.Errorf("%s has the shape %s of %s", m.state, m.mark.Shape, class)
			}
			shapes[m.mark.Shape] = m.mark.Class
		}
	}
	for _, p := range []struct {
		pull forge.PullRequest
		want string
	}{
		{forge.PullRequest{Merged: true, State: forge.StateClosed, Draft: true}, "merged"}, {forge.PullRequest{State: forge.StateClosed, Draft: true}, "closed"},
		{forge.PullRequest{State: forge.StateOpen, Draft: true}, "draft"}, {forge.PullRequest{State: forge.StateOpen}, "open"},
	} {
		if got := pullMark(p.pull); got.Word != p.want || got.Shape == "" {
			t.Errorf("%+v is marked %+v", p.pull, got)
		}
	}
}

// The newest result decides what a side of a comparison says.
func TestSidesOfAComparison(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		side grid.Side
		want string
	}{
		{grid.Side{}, "idle absent"}, {grid.Side{Latest: grid.Fail, Failures: 1}, "fail fails"}, {grid.Side{Latest: grid.Pass}, "pass passes"},
		{grid.Side{Latest: grid.Pass, Failures: 2}, "flake passes, not always"}, {grid.Side{Latest: grid.Pass, Flakes: 1}, "flake passes, not always"}, {grid.Side{Latest: grid.PassWithSkips}, "pass passes"},
	} {
		if got := sideMark(c.side); got.Class+" "+got.Word != c.want {
			t.Errorf("%+v is marked %+v, want %s", c.side, got, c.want)
		}
	}
	if got := sideMark(grid.Side{Latest: grid.Running}); got.Class != "flake" || got.Word == "" {
		t.Errorf("running: %+v", got)
	}
}

func TestNumbersAndTimesInWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Hour: "now", 0: "now", 4 * time.Second: "now", 5 * time.Second: "5 s ago", 59 * time.Second: "59 s ago", time.Minute: "1 min ago", 59*time.Minute + 59*time.Second: "59 min ago",
		time.Hour: "1 h ago", 47 * time.Hour: "47 h ago", 48 * time.Hour: "2 days ago", 1000 * time.Hour: "41 days ago",
	} {
		if got := ago(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "", 49 * time.Millisecond: "", 50 * time.Millisecond: "0.1 s", 9 * time.Second: "9.0 s", 10 * time.Second: "0:10", 61 * time.Second: "1:01", time.Hour: "1:00:00", 25*time.Hour + 61*time.Second: "25:01:01",
	} {
		if got := took(d); got != want {
			t.Errorf("%s took %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 123456: "123,456", 1234567: "1,234,567", -1: "-1", -999: "-999", -1000: "-1,000", -123456: "-123,456"} {
		if got := number(n); got != want {
			t.Errorf("%d is written %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 kB", 1536: "1.5 kB", 1 << 20: "1.0 MB", 5 << 20: "5.0 MB"} {
		if got := byteSize(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
	for _, c := range []struct {
		part, whole int
		want        string
	}{{0, 0, "–"}, {0, 5, "0.0%"}, {1, 10_000, "under 0.1%"}, {1, 100, "1.0%"}, {9, 100, "9.0%"}, {1, 3, "33%"}, {199, 200, "99.5%"}, {9999, 10_000, "99.9%"}, {5, 5, "100%"}} {
		if got := percent(c.part, c.whole); got != c.want {
			t.Errorf("%d of %d is %q, want %q", c.part, c.whole, got, c.want)
		}
	}
	for n, want := range map[int]string{0: "0 builds", 1: "1 build", 2: "2 builds", 1234: "1,234 builds"} {
		if got := many(n, "build", "builds"); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
	if short("abc") != "abc" || short(strings.Repeat("a", 40)) != "aaaaaaaaa" || plain("Not mergeable. BaseSHA:abc") != "Not mergeable." || plain("x") != "x" {
		t.Error("names are cut elsewhere")
	}
}

// A text is cut between characters, and says so.
func TestTextsAreCut(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"plain words of some length", strings.Repeat("ü", 30), strings.Repeat("船", 30), "mixed ü 船 " + strings.Repeat("x", 30)} {
		for most := range 40 {
			got := shorten(text, most)
			if len(text) <= most && got != text {
				t.Errorf("%q was cut at %d to %q", text, most, got)
			}
			if head, cut := strings.CutSuffix(got, " …"); len(text) > most && (!cut || !strings.HasPrefix(text, head) || len(head) > most) {
				t.Errorf("%q was cut at %d to %q", text, most, got)
			}
			if strings.ContainsRune(got, '\ufffd') {
				t.Errorf("%q was cut at %d within a character: %q", text, most, got)
			}
		}
	}
	for text, want := range map[string]string{"": "```", "a `b` c": "```", "```go\nx\n```": "````", "`````": "``````", "``` and ````": "`````"} {
		if got := fence(text); got != want {
			t.Errorf("the fence of %q is %q, want %q", text, got, want)
		}
	}
}

// Links lead to where results are, and to nothing that a browser would run.
func TestLinksToBuilds(t *testing.T) {
	t.Parallel()
	for build, want := range map[string]string{
		"logs/ci-unit/7": "/runs/7", "7": "/runs/7", "gs://bucket/logs/ci/7": "https://console.cloud.google.com/storage/browser/bucket/logs/ci/7", "https://example.org/7": "https://example.org/7",
		"http://example.org/7": "http://example.org/7", "s3://bucket/7": "", "javascript://x/%0aalert(1)": "", "data://x": "", "logs/a b/7?x=y#z": "/runs/7%3Fx=y%23z",
	} {
		if got := buildLink(build); got != want {
			t.Errorf("%s leads to %q, want %q", build, got, want)
		}
	}
	for name, want := range map[string]string{"TestA": "/tests?name=TestA", "[sig-node] a & b": "/tests?name=%5Bsig-node%5D+a+%26+b", "ü/船": "/tests?name=%C3%BC%2F%E8%88%B9"} {
		if got := testLink(name); got != want {
			t.Errorf("%s leads to %s", name, got)
		}
	}
}

// What people write is shown as they formatted it, and never run.
func TestMarkdownIsSafe(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"**bold** and `code`":              "<strong>bold</strong> and <code>code</code>",
		"<script>alert(1)</script>":        "",
		"<img src=x onerror=alert(1)>":     "",
		"[a](javascript:alert(1))":         "a",
		"[a](https://example.org)":         `<a href="https://example.org">a</a>`,
		"![x](data:text/html;base64,PHN2)": "x",
		"- [x] done":                       "done",
		"<a onclick=alert(1)>b</a>":        "b",
		"\"><svg/onload=alert(1)>":         "",
	} {
		got := string(markdown(text))
		if !strings.Contains(got, want) {
			t.Errorf("%q is shown as %q, want %q in it", text, got, want)
		}
		root, err := html.Parse(strings.NewReader(got))
		if err != nil {
			t.Fatal(err)
		}
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == "script" || n.Data == "svg" || n.Data == "iframe" || n.Data == "style" {
				t.Errorf("%q puts <%s> into the page", text, n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.ToLower(a.Val), "javascript:") || strings.HasPrefix(strings.ToLower(a.Val), "data:text") {
					t.Errorf("%q puts <%s %s=%q> into the page", text, n.Data, a.Key, a.Val)
				}
			}
		}
	}
}

// A time is told in words, with the very moment for machines; none is nothing.
func TestTimeTags(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 14, 12, 0, 0, 0, time.FixedZone("x", 3600))
	if got := timeTag(at, "a <b>"); got != template.HTML(`<time datetime="2026-03-14T11:00:00Z" title="2026-03-14T11:00:00Z">a &lt;b&gt;</time>`) {
		t.Errorf("%s", got)
	}
	if got := timeTag(time.Time{}, "never"); got != "" {
		t.Errorf("no time is %q", got)
	}
}

// The bar of a rate stays within its box, however uncertain the rate is.
func TestRateBars(t *testing.T) {
	t.Parallel()
	if got := rateBar(history.Rate{}); got != "" {
		t.Errorf("of no runs: %s", got)
	}
	for _, r := range []history.Rate{{Percent: 0, Low: 0, High: 0, Of: 1}, {Percent: 100, Low: 99, High: 100, Of: 1000}, {Percent: 25, Low: 4.56, High: 69.94, Of: 4}} {
		var x, wide, back, tick float64
		text := string(rateBar(r))
		_, rest, ok := strings.Cut(text, `class="rate-span" d="`)
		if _, err := fmt.Sscanf(rest, "M%f 2h%fv6h-%fz", &x, &wide, &back); !ok || err != nil {
			t.Errorf("%+v: %v in %s", r, err, text)
		}
		_, rest, _ = strings.Cut(text, `class="rate-tick" d="`)
		if _, err := fmt.Sscanf(rest, "M%f 0v10", &tick); err != nil {
			t.Errorf("%+v: %v in %s", r, err, text)
		}
		if x < 0 || x+wide > 100.5 || wide != back || wide <= 0 || tick < x-0.1 || tick > x+wide+0.6 || strings.Contains(text, "%!") {
			t.Errorf("%+v: from %f, %f wide, %f back, the tick at %f: %s", r, x, wide, back, tick, text)
		}
	}
}
