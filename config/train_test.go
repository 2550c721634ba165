package config_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/config"
	"seaworthy/release/train"
)

func TestTrain(t *testing.T) {
	t.Parallel()
	p, err := config.Parse("seaworthy.yaml", []byte(`version: 1
release:
  train:
  - type: patch
    when: second Tuesday
    at: "15:00"
    branches: [release-*]
    support: {newest: 3, months: 14}
    auto: cut
    rehearse: 01:30
  - {type: alpha, when: every 2 weeks from 2026-01-06}
  - {type: rc, when: 0 9 * * 1}
`))
	if err != nil {
		t.Fatal(err)
	}
	var rules []train.Rule
	for _, line := range p.Release.Train {
		r, err := line.Rule()
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, r)
	}
	if len(rules) != 3 {
		t.Fatalf("%d rules", len(rules))
	}
	r := rules[0]
	if r.Type != train.Patch || r.Newest != 3 || r.Months != 14 || r.Auto != train.Cut || r.Night != 90*time.Minute || !slices.Equal(r.Branches, []string{"release-*"}) {
		t.Errorf("%+v", r)
	}
	next, ok := r.Calendar.Next(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
	if !ok || !next.Equal(time.Date(2026, 12, 8, 15, 0, 0, 0, time.UTC)) {
		t.Errorf("next is %s", next)
	}
	if r := rules[1]; r.Auto != train.Rehearse || r.Night != 2*time.Hour {
		t.Errorf("what is not said: %+v", r)
	}
}

// Everything that is wrong is said at once, each with its line.
func TestTrainProblems(t *testing.T) {
	t.Parallel()
	_, err := config.Parse("seaworthy.yaml", []byte(`version: 1
release:
  train:
  - type: hotfix
    when: second Tuesday
    at: noon
    branches: ["release-["]
    support:
      newest: -1
    auto: always
    rehearse: "24:00"
  - type: alpha
    when: now and then
  - type: beta
  - type: rc
    when: 0 9 * * 1
    at: "10:00"
`))
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{
		`seaworthy.yaml:4: type is "hotfix"`, `seaworthy.yaml:6: "noon"`, `seaworthy.yaml:7: branches "release-["`, "seaworthy.yaml:8: support",
		`seaworthy.yaml:10: auto is "always"`, `seaworthy.yaml:11: "24:00"`, `seaworthy.yaml:13: "now and then"`, `seaworthy.yaml:14: ""`, `seaworthy.yaml:17: cron`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}
