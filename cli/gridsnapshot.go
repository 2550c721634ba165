package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image/png"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"gocloud.dev/blob"

	"seaworthy/app"
	"seaworthy/forge"
	"seaworthy/grid"
	"seaworthy/grid/dashboard"
	"seaworthy/grid/picture"
	"seaworthy/signal"
)

// snapshotFlags say what is drawn, and where it goes.
type snapshotFlags struct {
	gridSource
	dashboards, boards, tabs, states []string
	branch, out, link                string
	pages, testgrid                  string
	look                             picture.Look
	issue                            int
	renew                            bool
	album                            app.Album // of a platform, unless --out says otherwise
}

func newGridSnapshot(s Streams) *cobra.Command {
	var f snapshotFlags
	out := outputFlag{format: "markdown", more: []string{"markdown"}}
	c := &cobra.Command{
		Use:   "snapshot",
		Short: "Draw the tabs that are not green, and write the table for the release issue",
		Long: `Draw a picture of each tab that is failing or flaky, and print what stands in the way as Markdown for
the issue of a release. Without --dashboard the dashboards count whose names end in a word of --boards
(sig-release-1.36-blocking), of --branch alone if it is given.

The grids are those of the platform in --dir, or, with --bucket or --config, of any bucket: see
'seaworthy grid summary --help'. Pictures go to --out as DASHBOARD/TAB.png; those of a platform whose server
runs go into its bucket, which the server shows, so that the issue has them.`,
		Example: `  seaworthy grid snapshot --branch 1.36 --out pictures
  seaworthy grid snapshot --dashboard halyard-blocking --states FAILING --issue 7 --renew
  seaworthy grid snapshot --bucket gs://ci --config testgrids/ --out gs://shots/1.36 --link https://shots.example/1.36`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), s, out) },
	}
	f.gridSource.add(c)
	out.add(c)
	fl := c.Flags()
	fl.StringArrayVar(&f.dashboards, "dashboard", nil, "look at this `dashboard`; may be repeated")
	fl.StringArrayVar(&f.tabs, "tab", nil, "look at the `tab` of this name only; may be repeated")
	fl.StringSliceVar(&f.boards, "boards", []string{"blocking"}, "`words` that the names of dashboards end in")
	fl.StringVar(&f.branch, "branch", "", "`branch` that stands before that word, such as 1.36 or master")
	fl.StringSliceVar(&f.states, "states", []string{string(grid.Failing), string(grid.Flaky)}, "`states` of tabs that are told of")
	fl.StringVar(&f.out, "out", "", "`folder` or URL for the pictures (a served platform's bucket, else the folder snapshot)")
	fl.StringVar(&f.link, "link", "", "`URL` under which people find what is in --out")
	fl.StringVar(&f.pages, "pages", "", "`URL` of the platform whose pages the tabs are linked to (the one that runs here)")
	fl.StringVar(&f.testgrid, "testgrid-url", "", "`URL` of a TestGrid that the tabs are linked to instead")
	fl.IntVar(&f.look.Columns, "columns", 0, "draw that `many` of the newest builds (20)")
	fl.IntVar(&f.look.Rows, "rows", 0, "draw that `many` tests (30)")
	fl.IntVar(&f.look.Scale, "scale", 2, "`pixels` of the picture for one of the page, 1 to 4")
	fl.IntVar(&f.issue, "issue", 0, "`number` of the issue on the platform's forge to comment on")
	fl.BoolVar(&f.renew, "renew", false, "with --issue: edit the last such comment instead of adding one")
	return c
}

func (f *snapshotFlags) run(ctx context.Context, s Streams, out outputFlag) error {
	if err := f.check(); err != nil {
		return err
	}
	shot, err := f.shoot(ctx, s)
	if err != nil {
		return err
	}
	text := shot.markdown()
	if f.issue != 0 {
		if err := f.comment(ctx, s, text); err != nil {
			return err
		}
	}
	if out.format == "markdown" {
		_, err := io.WriteString(s.Out, text)
		return err
	}
	return out.print(s.Out, shot, func(w io.Writer) error {
		var rows [][]string
		for _, t := range shot.Tabs {
			rows = append(rows, []string{t.Dashboard, t.Tab, string(t.Status), t.Picture})
		}
		return table(w, shot.nothing(), []string{"dashboard", "tab", "status", "picture"}, rows)
	})
}

// shoot opens the grids and takes the pictures. On a platform that is served
// they go into its bucket, so that the issue shows them, and its pages are
// linked to.
func (f *snapshotFlags) shoot(ctx context.Context, s Streams) (shot snapshot, err error) {
	take := func(service *signal.Service) error {
		if shot, err = f.take(ctx, service); err != nil {
			return err
		}
		return service.Keep(ctx)
	}
	if f.foreign() || f.cache != "" || f.at != "" {
		err = f.gridSource.with(ctx, s, take)
		return shot, err
	}
	err = f.change.with(ctx, func(a *app.App) error {
		if album, ok := a.Album(time.Now()); ok {
			if f.out == "" {
				f.album, f.link = album, cmp.Or(f.link, album.URL)
			}
			if f.testgrid == "" {
				f.pages = cmp.Or(f.pages, a.URL())
			}
		}
		return take(a.Signal)
	})
	return shot, err
}

// check looks at the flags before anything is read.
func (f *snapshotFlags) check() error {
	known := []string{}
	for _, s := range []grid.Status{grid.Broken, grid.Stale, grid.Failing, grid.Flaky, grid.Pending, grid.Acceptable, grid.Passing, grid.Unknown} {
		known = append(known, string(s))
	}
	for i, state := range f.states {
		f.states[i] = strings.ToUpper(strings.TrimSpace(state))
		if !slices.Contains(known, f.states[i]) {
			return usagef("--states %q: write some of %s", state, strings.Join(known, ", "))
		}
	}
	for flag, address := range map[string]string{"link": f.link, "pages": f.pages, "testgrid-url": f.testgrid} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			return usagef("--%s %q: write an address such as https://example.org/path", flag, address)
		}
	}
	switch {
	case f.renew && f.issue == 0:
		return usagef("--renew edits the comment on an issue: name it with --issue")
	case f.issue < 0:
		return usagef("--issue %d: write the number of an issue", f.issue)
	case f.look.Scale < 1 || f.look.Scale > 4:
		return usagef("--scale %d: write a number from 1 to 4", f.look.Scale)
	case f.pages != "" && f.testgrid != "":
		return usagef("--pages and --testgrid-url: write one of them")
	}
	return nil
}

// snapshot is what was found.
type snapshot struct {
	At         time.Time    `json:"at"`
	States     []string     `json:"states"`
	Dashboards []shotBoard  `json:"dashboards"`
	Tabs       []shotOfATab `json:"tabs"`
}

type shotBoard struct {
	Name string `json:"name"`
	Tabs int    `json:"tabs"`
	Link string `json:"link,omitempty"`
}

type shotOfATab struct {
	Dashboard   string      `json:"dashboard"`
	Tab         string      `json:"tab"`
	Status      grid.Status `json:"status"`
	Text        string      `json:"text"`
	LatestGreen string      `json:"latest_green"`
	Alerts      int         `json:"alerts"`
	Link        string      `json:"link,omitempty"`
	// Picture is where it lies below --out, Image where people see it.
	Picture string `json:"picture"`
	Image   string `json:"image,omitempty"`
}

// take looks at the tabs and draws those that are told of.
func (f *snapshotFlags) take(ctx context.Context, service *signal.Service) (shot snapshot, err error) {
	now, err := f.now()
	if err != nil {
		return shot, err
	}
	shot = snapshot{At: now.UTC().Truncate(time.Second), States: f.states, Dashboards: []shotBoard{}, Tabs: []shotOfATab{}}
	config, err := service.Dashboards(ctx)
	if err != nil {
		return shot, err
	}
	names, err := f.choose(config)
	if err != nil {
		return shot, err
	}
	var bucket *blob.Bucket
	defer func() {
		if bucket != nil {
			err = errors.Join(err, bucket.Close())
		}
	}()
	for _, name := range names {
		tabs, err := service.Summaries(ctx, name)
		if err != nil {
			return shot, err
		}
		shot.Dashboards = append(shot.Dashboards, shotBoard{name, len(tabs), f.boardLink(name)})
		for _, t := range tabs {
			if len(f.tabs) > 0 && !slices.Contains(f.tabs, t.Tab) || !slices.Contains(f.states, string(t.Summary.Status)) {
				continue
			}
			if bucket == nil && f.album.Bucket == nil {
				if bucket, err = app.OpenBucket(ctx, cmp.Or(f.out, "snapshot")); err != nil {
					return shot, usageError{fmt.Errorf("--out: %w", err)}
				}
			}
			one, err := f.draw(ctx, service, cmp.Or(f.album.Bucket, bucket), t, now)
			if err != nil {
				return shot, err
			}
			shot.Tabs = append(shot.Tabs, one)
		}
	}
	slices.SortStableFunc(shot.Tabs, func(a, b shotOfATab) int {
		return cmp.Compare(slices.Index(f.states, string(a.Status)), slices.Index(f.states, string(b.Status)))
	})
	return shot, nil
}

// choose returns the dashboards that are meant.
func (f *snapshotFlags) choose(config dashboard.Config) ([]string, error) {
	if len(f.dashboards) > 0 {
		return choose(config, f.dashboards)
	}
	var names []string
	for _, board := range f.boards {
		for _, d := range config.Dashboards {
			if isBoard(d.Name, f.branch, board) && !slices.Contains(names, d.Name) {
				names = append(names, d.Name)
			}
		}
	}
	if len(names) == 0 {
		ends := "-" + strings.Join(f.boards, " or -")
		if f.branch != "" {
			ends = "-" + f.branch + ends
		}
		return nil, usagef("no dashboard's name ends in %s: name one with --dashboard, 'seaworthy grid summary' lists them", ends)
	}
	return names, nil
}

// isBoard reports whether a dashboard is the one of a branch; release-1.36 is
// 1.36, too.
func isBoard(name, branch, board string) bool {
	rest, ok := strings.CutSuffix("-"+name, "-"+board)
	branch = strings.TrimPrefix(branch, "release-")
	return ok && (branch == "" || strings.HasSuffix(rest, "-"+branch))
}

// draw writes the picture of one tab.
func (f *snapshotFlags) draw(ctx context.Context, service *signal.Service, bucket *blob.Bucket, t signal.TabSummary, now time.Time) (shotOfATab, error) {
	one := shotOfATab{
		Dashboard: t.Dashboard, Tab: t.Tab, Status: t.Summary.Status, Text: t.Summary.Text, LatestGreen: t.Summary.LatestGreen,
		Alerts: len(t.Summary.Alerts), Link: f.tabLink(t.Dashboard, t.Tab), Picture: fileName(t.Dashboard) + "/" + fileName(t.Tab) + ".png",
	}
	g, _, o, err := service.TabGrid(ctx, t.Dashboard, t.Tab)
	if err != nil {
		return one, fmt.Errorf("reading %s#%s: %w", t.Dashboard, t.Tab, err)
	}
	look := f.look
	look.Title = t.Dashboard + " / " + t.Tab
	m, err := picture.Draw(g, o, now, look)
	if err != nil {
		return one, fmt.Errorf("drawing %s#%s: %w", t.Dashboard, t.Tab, err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return one, fmt.Errorf("drawing %s#%s: %w", t.Dashboard, t.Tab, err)
	}
	if err := bucket.WriteAll(ctx, f.album.Prefix+one.Picture, b.Bytes(), &blob.WriterOptions{ContentType: "image/png"}); err != nil {
		return one, fmt.Errorf("writing the picture %s: %w", f.album.Prefix+one.Picture, err)
	}
	if f.link != "" {
		one.Image = strings.TrimRight(f.link, "/") + "/" + one.Picture
	}
	return one, nil
}

// fileName is a name that may be part of any path: letters, digits, dashes, and
// something of its own if more was in it.
func fileName(name string) string {
	plain := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, name), ".")
	if plain == name && len(name) > 0 && len(name) <= 100 {
		return name
	}
	return fmt.Sprintf("%s-%x", plain[:min(len(plain), 100)], sha256.Sum256([]byte(name)))[:min(len(plain), 100)+9]
}

func (f *snapshotFlags) boardLink(name string) string {
	switch {
	case f.testgrid != "":
		return strings.TrimRight(f.testgrid, "/") + "/" + url.PathEscape(name)
	case f.pages != "":
		return strings.TrimRight(f.pages, "/") + "/dashboards/" + url.PathEscape(name)
	}
	return ""
}

func (f *snapshotFlags) tabLink(board, tab string) string {
	switch at := f.boardLink(board); {
	case at == "":
		return ""
	case f.testgrid != "":
		return at + "#" + url.PathEscape(tab) + "&width=30"
	default:
		return at + "/" + url.PathEscape(tab)
	}
}

// snapshotMark begins the comments that --renew looks for.
const snapshotMark = "<!-- seaworthy grid snapshot -->"

// comment puts the text onto the issue.
func (f *snapshotFlags) comment(ctx context.Context, s Streams, text string) error {
	return f.change.with(ctx, func(a *app.App) error {
		repo, err := f.find(ctx, a)
		if err != nil {
			return err
		}
		comments, err := a.Forge.Comments(ctx, repo, f.issue)
		if errors.Is(err, forge.ErrNotFound) {
			return usagef("--issue: there is no issue #%d in %s", f.issue, repo)
		}
		if err != nil {
			return fmt.Errorf("reading the comments on %s#%d: %w", repo, f.issue, err)
		}
		body := snapshotMark + "\n" + text
		for _, c := range slices.Backward(comments) {
			if f.renew && c.Author == app.BotLogin && strings.HasPrefix(c.Body, snapshotMark) {
				if err := a.Forge.EditComment(ctx, repo, c.ID, body); err != nil {
					return fmt.Errorf("editing the comment on %s#%d: %w", repo, f.issue, err)
				}
				_, err := fmt.Fprintf(s.Err, "%s#%d: the comment is renewed: %s\n", repo, f.issue, c.HTMLURL)
				return err
			}
		}
		c, err := a.Forge.CreateComment(ctx, repo, f.issue, body)
		if err != nil {
			return fmt.Errorf("commenting on %s#%d: %w", repo, f.issue, err)
		}
		_, err = fmt.Fprintf(s.Err, "%s#%d: %s\n", repo, f.issue, c.HTMLURL)
		return err
	})
}

func (s snapshot) nothing() string {
	return fmt.Sprintf("No tab is %s.", strings.Join(s.States, " or "))
}

// markdown is the table for the issue of a release.
func (s snapshot) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### Test grids at %s\n\n", s.At.Format("2006-01-02 15:04 UTC"))
	for _, d := range s.Dashboards {
		fmt.Fprintf(&b, "- %s: %s\n", linked(d.Name, d.Link), count(d.Tabs, "tab", "tabs"))
	}
	if len(s.Tabs) == 0 {
		fmt.Fprintf(&b, "\n**%s**\n", s.nothing())
		return b.String()
	}
	b.WriteString("\n| Tab | Status | Says | Latest green | Picture |\n|---|---|---|---|---|\n")
	for _, t := range s.Tabs {
		shown := linked(path.Base(t.Picture), t.Image)
		fmt.Fprintf(&b, "| %s | **%s** | %s | %s | %s |\n", linked(t.Dashboard+"#"+t.Tab, t.Link), t.Status, escaped(t.Text), escaped(t.LatestGreen), shown)
	}
	for _, t := range s.Tabs {
		if t.Image != "" {
			fmt.Fprintf(&b, "\n<details><summary>%s %s</summary>\n\n![%s](%s)\n\n</details>\n", escaped(t.Dashboard+"#"+t.Tab), t.Status, escaped(t.Tab), t.Image)
		}
	}
	return b.String()
}

func linked(text, address string) string {
	if address == "" {
		return escaped(text)
	}
	return "[" + escaped(text) + "](" + strings.NewReplacer("(", "%28", ")", "%29", "|", "%7C").Replace(address) + ")"
}

// escaped is a text that Markdown takes as it is, on one line of a table.
func escaped(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.NewReplacer(
		`\`, `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "[", `\[`, "]", `\]`, "*", `\*`, "_", `\_`, "`", "\\`", "@", "@\u200b",
	).Replace(text)
}
