package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"seaworthy/alert"
	"seaworthy/alert/send"
	"seaworthy/config"
	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/signal"
	"seaworthy/store"
	"seaworthy/store/work"
)

const (
	kindAlerts = "alerts"
	// alertsEvery is how often tabs are asked whether anything broke.
	alertsEvery = 2 * time.Minute
)

// alertClock is the entry of a repository's alerts among what runs by the
// clock; none for one that has nobody told of anything.
func (a *App) alertClock(ctx context.Context, repo forge.RepoName) ([]work.Periodic, error) {
	p, err := a.standing(ctx, repo, "")
	if errors.Is(err, forge.ErrNotFound) {
		return nil, nil // nothing was pushed yet, or it is gone
	}
	if err != nil || !p.Alerts.On() {
		return nil, err
	}
	payload, err := json.Marshal(repo.String())
	if err != nil {
		return nil, fmt.Errorf("queueing the alerts of %s: %w", repo, err)
	}
	key := kindAlerts + " " + repo.String()
	return []work.Periodic{{Key: key, Every: alertsEvery, Item: work.Item{Kind: kindAlerts, Key: key, Queue: queueEvents, Payload: payload}}}, nil
}

func (a *App) handleAlerts(ctx context.Context, it work.Item) error {
	var name string
	if err := json.Unmarshal(it.Payload, &name); err != nil {
		return work.Discard(fmt.Errorf("reading whose alerts they are: %w", err))
	}
	repo, err := forge.ParseRepoName(name)
	if err != nil {
		return work.Discard(err)
	}
	err = a.Alert(ctx, repo)
	if errors.Is(err, forge.ErrNotFound) {
		return work.Discard(err)
	}
	if err != nil && ctx.Err() == nil {
		// It is said again by the clock, not by the queue.
		a.o.Log.Warn("not everybody could be told of what broke", "repository", repo.String(), "error", err)
		return nil
	}
	return err
}

// Alert tells who is concerned of what began to fail in a repository since this
// was asked last, and of what passes again.
func (a *App) Alert(ctx context.Context, repo forge.RepoName) error {
	leave, err := a.hold(ctx, kindAlerts+" "+repo.String())
	if err != nil {
		return err
	}
	defer leave()
	p, err := a.standing(ctx, repo, "")
	if err != nil {
		return err
	}
	if !p.Alerts.On() {
		return nil
	}
	rules, err := p.Alerts.Rules(repo.Name)
	if err != nil {
		return fmt.Errorf("the alerts of %s: %w", repo, err)
	}
	tabs, err := a.alertTabs(ctx, repo, p.Alerts)
	if err != nil {
		return err
	}
	for i := range tabs {
		tabs[i].Report = onClocks(tabs[i].Report, rules.Quiet.Zone)
	}
	s, err := a.alertSender(p.Alerts)
	if err != nil {
		return err
	}
	return s.Run(ctx, repo, tabs, rules, a.o.Now())
}

// Alerts are the troubles of a repository that people were told of, or are to
// be told of after quiet hours, the newest first; and how many messages about
// them could not be sent yet.
func (a *App) Alerts(ctx context.Context, repo forge.RepoName) (troubles []alert.Trouble, waiting int, err error) {
	s := &send.Sender{Settings: remembered{a.Store}}
	state, err := s.State(ctx, repo)
	if err != nil {
		return nil, 0, err
	}
	for _, key := range slices.Sorted(maps.Keys(state.Troubles)) {
		troubles = append(troubles, *state.Troubles[key])
	}
	slices.SortStableFunc(troubles, func(x, y alert.Trouble) int { return y.Begun.Compare(x.Begun) })
	return troubles, len(state.Due), nil
}

// alertSender speaks through what the platform has.
func (a *App) alertSender(c config.Alerts) (*send.Sender, error) {
	s := &send.Sender{Settings: remembered{a.Store}, Tracker: a.Forge, From: c.Mail.From, Labels: c.Issues.Labels, Log: a.o.Log, Boundary: a.o.Boundary}
	server, err := a.o.Speaking.mailer()
	if err != nil {
		return nil, err
	}
	if server != nil {
		s.Mailer = server
	}
	room, err := a.o.Speaking.room()
	if err != nil {
		return nil, err
	}
	if room != nil {
		s.Room = room
	}
	return s, nil
}

// remembered keeps what was told in the database.
type remembered struct{ *store.DB }

// Setting implements send.Settings.
func (r remembered) Setting(ctx context.Context, key string) (string, error) {
	text, err := r.DB.Setting(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil // never told of anything
	}
	return text, err
}

// alertTabs are the tabs of a repository's dashboards, as far as its alerts are
// about them.
func (a *App) alertTabs(ctx context.Context, repo forge.RepoName, c config.Alerts) ([]alert.Tab, error) {
	configured, err := a.dashboards(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(configured, func(c signal.Configuration) bool { return c.Repo == repo })
	if i < 0 {
		return nil, fmt.Errorf("the dashboards of %s cannot be read now", repo)
	}
	own := map[string]bool{repo.String(): true}
	for _, d := range configured[i].Config.Dashboards {
		own[d.Name] = true
	}
	a.Signal.Reconfigured()
	all, err := a.Signal.Dashboards(ctx)
	if err != nil {
		return nil, err
	}
	// A dashboard that cannot be seen just now must not be taken for gone, with
	// all that fails on it.
	for _, d := range configured[i].Config.Dashboards {
		if !slices.ContainsFunc(all.Dashboards, func(o dashboard.Dashboard) bool { return o.Name == d.Name }) {
			return nil, fmt.Errorf("the dashboard %s of %s cannot be read now", d.Name, repo)
		}
	}
	groups := map[string]dashboard.TestGroup{}
	for _, g := range all.TestGroups {
		groups[g.Name] = g
	}
	var tabs []alert.Tab
	for _, d := range all.Dashboards {
		if !own[d.Name] || len(c.Dashboards) > 0 && !slices.Contains(c.Dashboards, d.Name) {
			continue
		}
		summaries, err := a.Signal.Summaries(ctx, d.Name)
		if err != nil {
			return nil, fmt.Errorf("reading the dashboard %s: %w", d.Name, err)
		}
		for _, s := range summaries {
			i := slices.IndexFunc(d.Tabs, func(t dashboard.Tab) bool { return t.Name == s.Tab })
			if i < 0 || s.Repo.Valid() && s.Repo != repo {
				continue // another repository shows its jobs on a dashboard of this name
			}
			tabs = append(tabs, a.alertTab(s, d.Tabs[i], groups[s.TestGroup]))
		}
	}
	return tabs, nil
}

func (a *App) alertTab(s signal.TabSummary, t dashboard.Tab, g dashboard.TestGroup) alert.Tab {
	page := a.url + "/dashboards/" + url.PathEscape(s.Dashboard) + "/" + url.PathEscape(s.Tab)
	job := s.Job
	if job == "" {
		job = s.Tab
	}
	out := alert.Tab{Dashboard: s.Dashboard, Name: s.Tab, Job: job, URL: page, Status: s.Summary.Status, Stale: s.Summary.Alert, Alerts: s.Summary.Alerts,
		Unread: s.Reading || s.Problem != "", Mails: t.MailAddresses(g)}
	if o := t.Alerts; o != nil {
		out.Subject, out.Remind = o.Subject, time.Duration(min(o.WaitMinutes, 1<<20))*time.Minute
		out.Note = strings.TrimSpace(strings.Join([]string{o.FailureMessage, o.DebugMessage, o.DebugURL}, " "))
	}
	out.Health = s.Summary.Health
	if f := t.Flakiness; f != nil {
		out.Flaky = alert.Flaky{Minimum: f.Minimum, Mails: f.Addresses(), Subject: f.Subject, Remind: time.Duration(min(f.WaitMinutes, 1<<20)) * time.Minute, Note: f.FailureMessage}
	}
	out.Report = healthReport(t.Health)
	values := t.Values(g, page)
	out.Between = func(good, bad grid.Column) string {
		// A tab that says where its sources are means those; a link that cannot be
		// filled in is not one.
		if address, err := t.CodeSearch.Expand(values.Between(good.Build, good.Extra, bad.Build, bad.Extra)); err == nil && strings.HasPrefix(address, "http") {
			return address
		}
		return page + "/between?" + url.Values{"from": {good.Build}, "to": {bad.Build}}.Encode()
	}
	return out
}

// healthReport is what a tab wants mailed by the clock; nil if nothing. A
// schedule that cannot be read was told of when it was pushed.
func healthReport(h *dashboard.HealthOptions) *alert.Report {
	if h == nil || !h.Enable {
		return nil
	}
	next, err := h.Next()
	if err != nil || next == nil || len(h.Addresses()) == 0 {
		return nil
	}
	return &alert.Report{Mails: h.Addresses(), Schedule: h.Schedule, Next: next, Group: h.Groups()}
}

// onClocks has a schedule go by the clocks of a place.
func onClocks(r *alert.Report, zone *time.Location) *alert.Report {
	if r == nil || zone == nil {
		return r
	}
	moved := *r
	moved.Schedule += " " + zone.String()
	moved.Next = func(after time.Time) time.Time {
		next := r.Next(after.In(zone))
		if next.IsZero() {
			return next
		}
		return next.UTC()
	}
	return &moved
}
