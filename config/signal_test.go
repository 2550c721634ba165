package config_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/config"
)

func TestSignal(t *testing.T) {
	t.Parallel()
	parse := func(text string) (config.Project, []string) {
		p, err := config.Parse("seaworthy.yaml", []byte("version: 1\nsignal:\n"+text))
		var told []string
		if err != nil {
			told = strings.Split(strings.TrimSpace(err.Error()), "\n")
		}
		return p, told
	}
	p, problems := parse("  greens: 5\n  interval: [1h]\n  dashboards:\n  - branch: main\n    blocking: [b]\n  owners:\n  - {match: 'ci-node-*', owner: sig-node}\n  issues: {tolerated: [ok]}\n")
	if len(problems) > 0 || p.Signal.Greens != 5 || p.Signal.Dashboards[0].Blocking[0] != "b" || p.Signal.Issues.Tolerated[0] != "ok" || len(p.Signal.Issues.Labels) != 2 || p.Signal.PassRate[0] != 75 {
		t.Errorf("%+v %v", p.Signal, problems)
	}
	d, err := config.Durations(p.Signal.Duration)
	if err != nil || !slices.Equal(d, []time.Duration{2 * time.Hour}) {
		t.Errorf("%v %v", d, err)
	}
	if _, err := config.Durations([]string{"soon"}); err == nil {
		t.Error("soon is no time")
	}
	for _, bad := range []struct{ text, want string }{
		{"  greens: 0\n", "3: greens is 0"}, {"  interval: [soon]\n", `3: interval "soon"`}, {"  duration: [-1h]\n", `3: duration "-1h"`},
		{"  pass_rate: [101]\n", "3: pass_rate 101"}, {"  failures: [-1]\n", "3: failures -1"}, {"  dashboards:\n  - branch: main\n", "4: dashboards need"},
		{"  owners:\n  - {match: '[', owner: x}\n", "4: an owner needs"}, {"  owners:\n  - {match: x}\n", "4: an owner needs"},
	} {
		if _, problems := parse(bad.text); len(problems) != 1 || !strings.Contains(problems[0], bad.want) {
			t.Errorf("%q: got %v, want %s", bad.text, problems, bad.want)
		}
	}
}
