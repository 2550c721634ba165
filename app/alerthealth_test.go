package app

import (
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/alert"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/signal"
)

// What a tab asks for in TestGrid's words is what its mails go by.
func TestAlertTabAsConfigured(t *testing.T) {
	t.Parallel()
	a := &App{url: "https://sea.example"}
	c, problems := dashboard.Read(map[string][]byte{"a.yaml": []byte(`test_groups:
- {name: night, gcs_prefix: b/logs/night, alert_mail_to_addresses: group@example.org}
dashboards:
- name: gate
  dashboard_tab:
  - name: night watch
    test_group_name: night
    code_search_url_template: {url: 'https://git.example/compare/<start-custom-0>...<end-custom-0>'}
    alert_options: {subject: Night, wait_minutes_between_emails: 90, debug_url: https://wiki.example/night}
    flakiness_alert_options: {minimum_flakiness_to_alert: 12.5, alert_mail_to_addresses: 'a@example.org, b@example.org', subject: Flakes, wait_minutes_between_emails: 60, alert_mail_failure_message: see the guide}
    health_analysis_options: {enable: true, email_schedule: 0 9 * * *, email_recipients: qa@example.org, grouping_regex: ' - .*'}
`)})
	tab, group, ok := c.Tab("gate", "night watch")
	if !ok {
		t.Fatal(problems)
	}
	health := &grid.Health{Flakiness: 3}
	got := a.alertTab(signal.TabSummary{Dashboard: "gate", Tab: "night watch", Job: "night", Summary: grid.Summary{Status: grid.Failing, Health: health}}, tab, group)
	if got.URL != "https://sea.example/dashboards/gate/night%20watch" || got.Job != "night" || got.Subject != "Night" || got.Remind != 90*time.Minute || !strings.Contains(got.Note, "wiki.example/night") || !slices.Equal(got.Mails, []string{"group@example.org"}) {
		t.Errorf("the tab: %+v", got)
	}
	if f := got.Flaky; f.Minimum != 12.5 || !slices.Equal(f.Mails, []string{"a@example.org", "b@example.org"}) || f.Subject != "Flakes" || f.Remind != time.Hour || f.Note != "see the guide" {
		t.Errorf("flaky: %+v", f)
	}
	if got.Health != health || got.Report == nil || !slices.Equal(got.Report.Mails, []string{"qa@example.org"}) || got.Report.Group.ReplaceAllString("x - y", "") != "x" {
		t.Errorf("the report: %+v", got.Report)
	}
	old, bad := grid.Column{Build: "7", Extra: []string{"aaa"}}, grid.Column{Build: "9", Extra: []string{"bbb"}}
	if at := got.Between(old, bad); at != "https://git.example/compare/aaa...bbb" {
		t.Errorf("between: %s", at)
	}
	tab.CodeSearch = nil
	if at := a.alertTab(signal.TabSummary{Dashboard: "gate", Tab: "night watch"}, tab, group).Between(old, bad); at != "https://sea.example/dashboards/gate/night%20watch/between?from=7&to=9" {
		t.Errorf("between: %s", at)
	}
}

func TestHealthReportsThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	for _, h := range []*dashboard.HealthOptions{
		nil, {}, {Schedule: "@daily", Recipients: "a@example.org"}, {Enable: true, Recipients: "a@example.org"}, {Enable: true, Schedule: "@daily"},
		{Enable: true, Schedule: "whenever", Recipients: "a@example.org"}, {Enable: true, Schedule: "@daily", Recipients: " , "},
	} {
		if r := healthReport(h); r != nil {
			t.Errorf("%+v: %+v", h, r)
		}
	}
}

// A schedule means the clocks of the place that alerts go by.
func TestSchedulesGoByAPlace(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("skipped: this machine knows no time zones, install tzdata")
	}
	r := healthReport(&dashboard.HealthOptions{Enable: true, Schedule: "0 9 * * *", Recipients: "a@example.org"})
	for after, want := range map[string]string{"2026-07-06T07:00:00Z": "2026-07-07T07:00:00Z", "2026-07-06T06:59:00Z": "2026-07-06T07:00:00Z", "2026-12-06T07:30:00Z": "2026-12-06T08:00:00Z"} {
		now, err := time.Parse(time.RFC3339, after)
		if err != nil {
			t.Fatal(err)
		}
		if got := onClocks(r, berlin).Next(now).Format(time.RFC3339); got != want {
			t.Errorf("after %s: %s, want %s", after, got, want)
		}
	}
	if onClocks(nil, berlin) != nil || onClocks(r, berlin).Schedule == onClocks(r, time.UTC).Schedule {
		t.Error("another place has the same schedule")
	}
	never := onClocks(&alert.Report{Next: func(time.Time) time.Time { return time.Time{} }}, berlin)
	if !never.Next(time.Now()).IsZero() {
		t.Error("what never comes has a time")
	}
}
