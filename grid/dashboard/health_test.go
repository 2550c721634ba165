package dashboard_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/grid/dashboard"
)

func TestHealthSchedule(t *testing.T) {
	t.Parallel()
	monday := time.Date(2026, 11, 23, 8, 30, 0, 0, time.FixedZone("", 3600))
	for schedule, want := range map[string]string{
		"0 9 * * *":             "2026-11-23T09:00:00+01:00",
		" 0 8 * * 1 ":           "2026-11-30T08:00:00+01:00",
		"@weekly":               "2026-11-29T00:00:00+01:00",
		"0 0 31 2 *":            "0001-01-01T00:00:00Z",
		"":                      "none",
		"0 9 * *":               "write five fields",
		"daily":                 "write five fields",
		"CRON_TZ=UTC 0 9 * * *": "leave the time zone out",
	} {
		next, err := dashboard.HealthOptions{Schedule: schedule}.Next()
		got := "none"
		switch {
		case err != nil:
			got = err.Error()
		case next != nil:
			got = next(monday).Format(time.RFC3339)
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", schedule, got, want)
		}
	}
}

func TestHealthRecipientsAndGroups(t *testing.T) {
	t.Parallel()
	h := dashboard.HealthOptions{Recipients: " a@example.org,, b@example.org ", Grouping: ` - \w+$`}
	if got := h.Addresses(); !slices.Equal(got, []string{"a@example.org", "b@example.org"}) {
		t.Errorf("to %v", got)
	}
	if got := h.Groups().ReplaceAllString("disk - amd64", ""); got != "disk" {
		t.Errorf("group %q", got)
	}
	for _, none := range []string{"", "[", strings.Repeat("x", 5000)} {
		if re := (dashboard.HealthOptions{Grouping: none}).Groups(); re != nil {
			t.Errorf("%.10q groups by %v", none, re)
		}
	}
	if got := (dashboard.FlakinessAlerts{Mails: "a@example.org"}).Addresses(); !slices.Equal(got, []string{"a@example.org"}) {
		t.Errorf("to %v", got)
	}
}

// A tab that wants to hear of flaky tests has its tests looked at.
func TestFlakinessAlertsLookAtTests(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{
		"flakiness_alert_options: {minimum_flakiness_to_alert: 10}":                                                                      7 * 24 * time.Hour,
		"flakiness_alert_options: {alert_mail_to_addresses: a@example.org}":                                                              0,
		"flakiness_alert_options: {minimum_flakiness_to_alert: 10}, health_analysis_options: {enable: true, days_of_analysis: 1}":        24 * time.Hour,
		"health_analysis_options: {enable: false, days_of_analysis: 1}, flakiness_alert_options: {minimum_flakiness_to_alert: 0.000001}": 7 * 24 * time.Hour,
	} {
		c, problems := read(t, "a.yaml", "test_groups: [{name: group, gcs_prefix: b}]\ndashboards: [{name: board, dashboard_tab: [{name: tab, test_group_name: group, "+in+"}]}]")
		tab, group, _ := c.Tab("board", "tab")
		if got := tab.Options(group).Health; got != want {
			t.Errorf("%s: got %s, want %s (%v)", in, got, want, problems)
		}
	}
}

func TestHealthScheduleIsChecked(t *testing.T) {
	t.Parallel()
	c, _ := dashboard.Read(map[string][]byte{"a.yaml": []byte("test_groups: [{name: group, gcs_prefix: b/c}]\ndashboards:\n- name: board\n  dashboard_tab:\n  - name: tab\n    test_group_name: group\n    health_analysis_options: {enable: true, email_schedule: whenever}\n")})
	problems := c.Check()
	if !slices.ContainsFunc(problems, func(p dashboard.Problem) bool {
		return p.Warning && strings.Contains(p.Message, `email_schedule "whenever"`)
	}) {
		t.Errorf("problems: %v", problems)
	}
}
