package config_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"seaworthy/config"
)

func TestAlerts(t *testing.T) {
	t.Parallel()
	p, err := config.Parse("seaworthy.yaml", []byte(`version: 1
alerts:
  dashboards: [blocking]
  mail: {from: Alerts <alerts@example.org>, to: [ci@example.org]}
  chat: "#ci"
  issues: {open: true, labels: [bug]}
  quiet: {from: "20:00", to: "06:30", days: [Saturday, sunday]}
  timezone: UTC
  owners:
  - {name: storage, tests: Volume, jobs: ^e2e, mail: [storage@example.org], chat: "#storage", logins: [ada]}
  - {name: build, jobs: ^build}
`))
	if err != nil {
		t.Fatal(err)
	}
	a := p.Alerts
	r, err := a.Rules("halyard")
	if err != nil || !a.On() {
		t.Fatal(err, a.On())
	}
	if r.Project != "halyard" || r.Channel != "#ci" || !r.Issues || !slices.Equal(r.Mails, []string{"ci@example.org"}) || !slices.Equal(a.Issues.Labels, []string{"bug"}) || !slices.Equal(a.Dashboards, []string{"blocking"}) {
		t.Errorf("%+v", r)
	}
	q := r.Quiet
	if q.From != 20*time.Hour || q.To != 6*time.Hour+30*time.Minute || !slices.Equal(q.Days, []time.Weekday{time.Saturday, time.Sunday}) {
		t.Errorf("%+v", q)
	}
	o := r.Owners[0]
	if o.Name != "storage" || !o.Tests.MatchString("TestVolumes") || !o.Jobs.MatchString("e2e-gce") || o.Channel != "#storage" || !slices.Equal(o.Logins, []string{"ada"}) || !slices.Equal(o.Mails, []string{"storage@example.org"}) {
		t.Errorf("%+v", o)
	}
	if r.Owners[1].Tests != nil {
		t.Errorf("%+v", r.Owners[1])
	}

	p, err = config.Parse("seaworthy.yaml", []byte("version: 1\n"))
	if err != nil || p.Alerts.On() {
		t.Errorf("a project that says nothing is told: %v", err)
	}
	if r, err := p.Alerts.Rules("halyard"); err != nil || r.Quiet.From != r.Quiet.To {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAlertProblems(t *testing.T) {
	t.Parallel()
	_, err := config.Parse("seaworthy.yaml", []byte(`version: 1
alerts:
  mail:
    to: [nobody]
  quiet:
    from: dusk
    days: [Caturday]
  timezone: Moon/Tranquility
  owners:
  - tests: "["
    mail: [a@example.org]
  - name: all
  - name: long
    jobs: `+strings.Repeat("x", 2000)+`
`))
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{
		`:4: alerts.mail.to: "nobody" is no mail address`, ":4: alerts.mail.to has addresses, but there is no sender", `:6: "dusk"`, ":6: quiet hours have a beginning and an end",
		`:7: "Caturday" is no day of the week`, ":8: alerts.timezone: unknown time zone Moon/Tranquility: write Europe/Berlin", ":10: an owner of tests has no name", `:10: owner "": tests is no regular expression`, ":11: owner \"\" has mail addresses, but there is no sender",
		`:12: owner "all" owns everything`, ":14: owner \"long\": jobs is no regular expression: it has 2000 characters",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
}

func TestAlertsTimeZone(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"": "UTC", "UTC": "UTC", "Local": "another one on each machine", "../../etc/passwd": "write Europe/Berlin", "Europe/Atlantis": "install tzdata"} {
		zone, err := config.Alerts{TimeZone: name}.Zone()
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = zone.String()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	if _, err := (config.Alerts{TimeZone: "Nowhere"}).Rules("p"); err == nil {
		t.Error("rules by no clock")
	}
}
