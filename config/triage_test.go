package config_test

import (
	"strings"
	"testing"
	"time"

	"seaworthy/config"
)

func TestTriageDays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]int{
		"":                                   {14, 400},
		"triage: {failures: 90}":             {90, 400},
		"triage: {failures: 400}":            {400, 400},
		"triage: {clusters: 30}":             {14, 30},
		"triage: {failures: 1, clusters: 1}": {1, 1},
	} {
		p, err := config.Parse("seaworthy.yaml", []byte("version: 1\n"+text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		failures, clusters := p.Triage.Keep()
		if got := [2]int{int(failures / (24 * time.Hour)), int(clusters / (24 * time.Hour))}; got != want {
			t.Errorf("%s: kept for %d days", text, got)
		}
	}
	for text, want := range map[string]string{
		"triage: {failures: 0}":                "write days, from 1 to 400",
		"triage: {failures: 401}":              "write days, from 1 to 400",
		"triage: {failures: 30, clusters: 29}": "from those of failures (30)",
		"triage: {clusters: 100000}":           "to 3650",
		"triage: {failures: a fortnight}":      "failures",
		"triage: {days: 3}":                    "days",
	} {
		if _, err := config.Parse("seaworthy.yaml", []byte("version: 1\n"+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
