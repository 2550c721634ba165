package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/triage/live"
)

type clusterPage struct {
	live.Detail
	Heading  string
	Mark     Mark
	Bars     bars
	Segments []live.Segment
	Cut      bool // the text was too long
	Percent  string
	Hits     []hitRow
	Tests    []testRow
	Jobs     []shareRow
	Branches []shareRow
	More     string // leads to all tests and jobs
	Left     int    // how many of them are not shown
	First    originRow
	Landed   originRow
	Good     originRow
	filing
	draft
	Form describing
	Back string
	All  string
}

type hitRow struct {
	live.Hit
	Link string
	Test string // its page
	Grid string // its row in the job's grid
}

type shareRow struct {
	live.Share
	Percent string
	Link    string
}

type testRow struct {
	live.TestShare
	Link string
	Jobs []shareRow
	Left int
}

type originRow struct {
	live.Origin
	Link string
	Pull string // the change's page
}

func (s *Site) cluster(r *http.Request) (view, error) {
	if s.Triage == nil {
		return view{}, errNoPage
	}
	q := r.URL.Query()
	f, err := live.ParseFilter(q)
	var wrong *live.FilterError
	if errors.As(err, &wrong) {
		f, err = live.Filter{}, nil // the list says what is wrong; here it shows all
	}
	if err != nil {
		return view{}, err
	}
	d, err := s.Triage.Cluster(r.Context(), r.PathValue("id"), f)
	if errors.Is(err, live.ErrNoCluster) {
		return view{}, errNoPage
	}
	if err != nil {
		return view{}, err
	}
	p := clusterPage{Detail: d, Mark: trendMark(d.Trend), Bars: newBars(d.Hours, d.From, d.Until), Percent: percent(d.Row.Builds, d.OfBuilds)}
	p.Heading, _ = openingOf(d.Text)
	p.Segments, p.Cut = within(d.Segments, wholeBytes)
	p.Back = "/triage?" + f.Values().Encode()
	p.shares(d, f, q.Get("more") == "1")
	grids := map[[2]string]bool{} // by repository and job
	for _, h := range d.Recent {
		row := hitRow{Hit: h, Link: buildLink(h.Path), Test: testLink(h.Test)}
		of := [2]string{h.Repo, h.Job}
		if _, looked := grids[of]; !looked {
			owner, name, _ := strings.Cut(h.Repo, "/")
			grids[of] = !strings.Contains(h.Path, "://") && s.hasGrid(r.Context(), forge.RepoName{Owner: owner, Name: name}, h.Job)
		}
		if grids[of] {
			row.Grid = gridLink(h.Repo, h.Job, h.Test)
		}
		p.Hits = append(p.Hits, row)
	}
	p.First, p.Landed, p.Good = s.origin(d.First), s.origin(d.Landed), s.origin(d.Good)
	p.draft = clusterDraft(d, p.Heading)
	p.Form = s.describing(d)
	words := d.ID
	if len(d.OfTests) == 1 {
		words = d.OfTests[0].Name
	}
	if p.filing, err = s.filing(r.Context(), cmp.Or(d.Landed.Repo, d.First.Repo), p.draft, words); err != nil {
		return view{}, err
	}
	return view{page: "cluster", Title: shorten(p.Heading, 80), Nav: "triage", Data: p}, nil
}

// within cuts segments that are longer than a page can hold.
func within(all []live.Segment, most int) (short []live.Segment, cut bool) {
	for _, x := range all {
		if len(x.Text) > most {
			x.Text = shorten(x.Text, most)
			return append(short, x), true
		}
		most -= len(x.Text)
		short = append(short, x)
	}
	return short, false
}

// shares shows the tests and jobs that four fifths of the failures fall to, or
// all that fit a page.
func (p *clusterPage) shares(d live.Detail, f live.Filter, more bool) {
	tests := make([]live.Share, len(d.OfTests))
	for i, t := range d.OfTests {
		tests[i] = t.Share
	}
	for _, t := range d.OfTests[:enough(tests, more)] {
		row := testRow{TestShare: t, Link: testLink(t.Name)}
		for _, j := range t.Jobs[:min(enough(t.Jobs, false), 5)] {
			row.Jobs = append(row.Jobs, shareOf(j))
		}
		row.Left = len(t.Jobs) - len(row.Jobs)
		p.Tests = append(p.Tests, row)
	}
	for _, j := range d.OfJobs[:enough(d.OfJobs, more)] {
		p.Jobs = append(p.Jobs, shareOf(j))
	}
	for _, b := range d.Branches[:min(len(d.Branches), 20)] {
		b.Name = cmp.Or(b.Name, "not known")
		p.Branches = append(p.Branches, shareOf(b))
	}
	p.Left = len(d.OfTests) + len(d.OfJobs) - len(p.Tests) - len(p.Jobs)
	if !more && p.Left > 0 {
		q := f.Values()
		q.Set("more", "1")
		p.More = "/triage/" + d.ID + "?" + q.Encode()
	}
}

// enough is how many of the largest shares hold four fifths of all failures.
func enough(all []live.Share, more bool) int {
	if more {
		return min(len(all), mostShares)
	}
	sum, n := 0, 0
	for _, x := range all {
		sum += x.Failures
	}
	for held := 0; n < len(all) && n < 20 && held*5 < sum*4; n++ {
		held += all[n].Failures
	}
	return n
}

func shareOf(x live.Share) shareRow {
	row := shareRow{Share: x, Link: "/runs?" + url.Values{"job": {x.Name}}.Encode()}
	if x.OfBuilds > 0 {
		row.Percent = percent(x.Builds, x.OfBuilds)
	}
	return row
}

func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	p := 100 * float64(part) / float64(whole)
	switch {
	case part > 0 && p < 0.1:
		return "under 0.1%"
	case p < 10:
		return fmt.Sprintf("%.1f%%", p)
	case part < whole && p > 99: // all is all
		return fmt.Sprintf("%.1f%%", min(p, 99.9))
	}
	return fmt.Sprintf("%.0f%%", p)
}

// buildLink leads to a build: to its run if it is one of ours, whose results lie
// in the platform's own bucket, else to where its results lie.
func buildLink(build string) string {
	switch scheme, rest, foreign := strings.Cut(build, "://"); {
	case !foreign:
		return "/runs/" + url.PathEscape(path.Base(build))
	case scheme == "https" || scheme == "http":
		return build
	case scheme == "gs":
		return "https://console.cloud.google.com/storage/browser/" + rest
	}
	return ""
}

func testLink(name string) string { return "/tests?" + url.Values{"name": {name}}.Encode() }

func (s *Site) origin(o live.Origin) originRow {
	row := originRow{Origin: o}
	if o.Build != "" {
		row.Link = buildLink(o.Build)
	}
	if o.Pull > 0 && o.Repo != "" {
		row.Pull = fmt.Sprintf("/%s/pull/%d", o.Repo, o.Pull)
	}
	return row
}

// mostIssue bounds an issue's text in an address, which servers cut short.
const mostIssue = 3000

// clusterDraft is the issue that a person would file about a cluster.
func clusterDraft(d live.Detail, heading string) draft {
	title := "[Failing test] " + shorten(heading, 100)
	if len(d.OfTests) == 1 {
		title = "[Failing test] " + shorten(d.OfTests[0].Name, 120)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### Which jobs\n\n%s\n### Which tests\n\n%s\n", listed(d.OfJobs), listed(sharesOf(d.OfTests)))
	fmt.Fprintf(&b, "### Since when\n\n%s, last seen %s.", stampOf(d.FirstSeen), stampOf(d.LastSeen))
	if d.Landed.Commit != "" {
		fmt.Fprintf(&b, " First at %s", short(d.Landed.Commit))
		if d.Good.Commit != "" {
			fmt.Fprintf(&b, ", last good %s", short(d.Good.Commit))
		}
		b.WriteString(".")
	}
	for _, m := range d.Merges[:min(len(d.Merges), 10)] {
		fmt.Fprintf(&b, "\n- %s %s", short(m.Commit), m.Title)
	}
	text := shorten(d.Text, 1500)
	fmt.Fprintf(&b, "\n\n### What it says\n\n%s\n%s\n%s", fence(text), text, fence(text))
	end := fmt.Sprintf("%s: %s, %s in the last day.\n", clusterLine(d.ID), many(d.Failures, "failure", "failures"), number(d.LastDay))
	labels := []string{"kind/failing-test"}
	if d.Owned != "" {
		labels = append(labels, "sig/"+d.Owned)
	}
	return drafted(title, b.String(), end, labels...)
}

// fence is longer than any run of backticks within a text.
func fence(text string) string {
	longest, run := 2, 0
	for _, r := range text {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return strings.Repeat("`", longest+1)
}

func sharesOf(tests []live.TestShare) []live.Share {
	var all []live.Share
	for _, t := range tests {
		all = append(all, t.Share)
	}
	return all
}

func listed(all []live.Share) string {
	var b strings.Builder
	for i, x := range all {
		if i == 10 {
			fmt.Fprintf(&b, "- and %d more\n", len(all)-i)
			break
		}
		fmt.Fprintf(&b, "- %s (%d)\n", x.Name, x.Failures)
	}
	return b.String()
}

func stampOf(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04 UTC") }
