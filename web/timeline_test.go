package web

import (
	"testing"
	"time"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release"
)

func TestLinked(t *testing.T) {
	t.Parallel()
	repo := forge.RepoName{Owner: "harbour", Name: "halyard"}
	for _, c := range []struct{ sentence, want string }{
		{"", ""},
		{"23 files", "23 files"},
		{"#6", `<a href="/harbour/halyard/issues/6">#6</a>`},
		{"opened #6, closed #7.", `opened <a href="/harbour/halyard/issues/6">#6</a>, closed <a href="/harbour/halyard/issues/7">#7</a>.`},
		{"#5 http://127.0.0.1:1/a/b/pull/5.", `<a href="/harbour/halyard/issues/5">#5</a> <a href="http://127.0.0.1:1/a/b/pull/5">http://127.0.0.1:1/a/b/pull/5</a>.`},
		{"colour#5 and <b>", "colour#5 and &lt;b&gt;"},
		{"javascript:alert(1) https://x/?a=1&b=2", `javascript:alert(1) <a href="https://x/?a=1&amp;b=2">https://x/?a=1&amp;b=2</a>`},
		{`https://x/"onclick="y`, `<a href="https://x/">https://x/</a>&#34;onclick=&#34;y`},
		{"https://x/%zz", "https://x/%zz"},
	} {
		if got := string(linked(repo, c.sentence)); got != c.want {
			t.Errorf("%q: %s, want %s", c.sentence, got, c.want)
		}
	}
	if got := string(linked(forge.RepoName{}, "#6")); got != "#6" {
		t.Errorf("without a repository: %s", got)
	}
}

func TestToldLeavesOutWhatIsSaid(t *testing.T) {
	t.Parallel()
	try := func(err string, lines ...string) flow.AttemptStatus {
		a := flow.AttemptStatus{Number: 1, Error: err}
		for _, l := range lines {
			a.Log = append(a.Log, flow.LogLine{At: time.Unix(0, 0), Text: l})
		}
		return a
	}
	for name, c := range map[string]struct {
		attempts []flow.AttemptStatus
		want     int
	}{
		"nothing":         {nil, 0},
		"silent":          {[]flow.AttemptStatus{try("")}, 0},
		"its sentence":    {[]flow.AttemptStatus{try("", "GO: 3 gates")}, 0},
		"more than that":  {[]flow.AttemptStatus{try("", "looked", "GO: 3 gates")}, 1},
		"failed silently": {[]flow.AttemptStatus{try("no route")}, 1},
		"tried again":     {[]flow.AttemptStatus{try(""), try("")}, 2},
		"the verdict":     {[]flow.AttemptStatus{try("", `verdict {"go":true}`, "GO: 3 gates")}, 0},
	} {
		if got := told(flow.StepStatus{Sentence: "GO: 3 gates", Attempts: c.attempts}); len(got) != c.want {
			t.Errorf("%s: %d attempts are told, want %d", name, len(got), c.want)
		}
	}
}

func TestGateMark(t *testing.T) {
	t.Parallel()
	for state, want := range map[release.GateState]string{release.Go: "pass go", release.NoGo: "fail no-go", release.Waived: "flake waived", release.Unknown: "fail unknown"} {
		if m := gateMark(state); m.Class+" "+m.Word != want {
			t.Errorf("%s: %+v", state, m)
		}
	}
}
