// Command gridpages serves the pages of dashboards over generated results, for the
// walks in test/e2e/grid.mjs, scale.mjs and verdict.mjs: a big grid with failures of
// every kind, a small one, and one that is empty.
//
//	go run ./test/gridpages [-bucket FOLDER] [-tests N]
//
// It prints its address and ends with its standard input. With a folder, that
// is read as a bucket with builds under logs/ci-big; else the big grid has as many
// tests as are asked for.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"

	"seaworthy/forge"
	"seaworthy/grid/dashboard"
	"seaworthy/job"
	"seaworthy/signal"
	"seaworthy/signal/report"
	"seaworthy/signal/verdict"
	"seaworthy/triage/live"
	"seaworthy/web"
)

// now is the day of the pictures.
var now = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

const configuration = `
test_groups:
- name: ci-big
  gcs_prefix: bucket/logs/ci-big
  days_of_results: 400
  column_header: [{configuration_value: Commit}]
  disable_prowjob_analysis: true
- name: ci-small
  gcs_prefix: bucket/logs/ci-small
  days_of_results: 400
  disable_prowjob_analysis: true
- name: ci-none
  gcs_prefix: bucket/logs/ci-none
dashboards:
- name: fleet-blocking
  description: What must be green before a release leaves the harbour.
  notifications: [{summary: The test cluster moves on Thursday}]
  dashboard_tab:
  - name: conformance
    test_group_name: ci-big
    description: Every test of the fleet, each half hour
    open_test_template: {url: "https://example.org/view/<gcs_prefix>/<changelist>"}
    code_search_url_template: {url: "https://example.org/compare/<start-custom-0>...<end-custom-0>"}
    file_bug_template: {url: "https://example.org/new", options: [{key: title, value: "<test-name> fails"}, {key: body, value: "<test-url>"}]}
    attach_bug_template: {url: "https://example.org/attach", options: [{key: url, value: "<test-url>"}]}
    open_bug_template: {url: "https://github.com/example/fleet/issues/"}
    results_text: All results
    results_url_template: {url: "https://example.org/results/<gcs_prefix>"}
    context_menu_template: {name: Logs of the build, url: "https://example.org/logs/<changelist>"}
    column_diff_link_templates: [{name: Images that differ, url: "https://example.org/images/<start-custom-0>/<end-custom-0>"}]
    about_dashboard_url: https://example.org/about
  - name: smoke
    test_group_name: ci-small
    description: The first ten minutes
  - {name: nothing-yet, test_group_name: ci-none}
- name: fleet-informing
  dashboard_tab:
  - {name: by-failures, test_group_name: ci-big, base_options: "sort-by-failures=&group-by-hierarchy-pattern=%5C."}
dashboard_groups:
- name: fleet
  description: Everything that sails
  dashboard_names: [fleet-blocking, fleet-informing]
`

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gridpages:", err)
		os.Exit(1)
	}
}

func run() error {
	folder := flag.String("bucket", "", "`folder` to read instead of generated results")
	tests := flag.Int("tests", 500, "`number` of tests of the big grid")
	flag.Parse()
	ctx := context.Background()
	bucket, at, err := results(ctx, *folder, *tests)
	if err != nil {
		return err
	}
	defer bucket.Close()
	config, problems := dashboard.Read(map[string][]byte{"grids.yaml": []byte(configuration)})
	for _, p := range problems {
		if !p.Warning {
			return fmt.Errorf("the configuration: %s", p)
		}
	}
	clock := func() time.Time { return at }
	grids := signal.New(signal.Options{
		Bucket: bucket, Now: clock, Fresh: time.Hour,
		Configured: func(context.Context) ([]signal.Configuration, error) {
			return []signal.Configuration{{Config: config}}, nil
		},
	})
	defer grids.Close()
	if err := grids.Refresh(ctx); err != nil {
		return err
	}
	pages, err := web.New(web.Options{
		Repos: func(context.Context) ([]forge.RepoName, error) { return nil, nil },
		Runs:  runs{}, Triage: clusters{}, Issues: tracker(), Signal: grids, Hub: &web.Hub{}, Now: clock, Log: slog.Default(), Version: "test",
		Verdicts: func(forge.RepoName) web.Verdicts {
			return report.New(report.Options{Grids: grids, Now: clock, Settings: func(context.Context) (report.Settings, error) {
				return report.Settings{Rules: verdict.DefaultRules()}, nil
			}})
		},
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("taking a port: %w", err)
	}
	server := &http.Server{Handler: pages, ReadHeaderTimeout: 10 * time.Second}
	fmt.Println("http://" + listener.Addr().String())
	go func() { // whoever started this closes its input when done
		if _, err := io.Copy(io.Discard, os.Stdin); err == nil {
			_ = server.Close() // ends Serve, which tells why
		}
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// clusters has none.
type clusters struct{}

func (clusters) List(_ context.Context, _ live.Filter) (live.List, error) {
	return live.List{From: now.AddDate(0, 0, -14), Until: now}, nil
}

func (clusters) Cluster(context.Context, string, live.Filter) (live.Detail, error) {
	return live.Detail{}, live.ErrNoCluster
}

// tracker has its issues elsewhere.
func tracker() web.IssueForm {
	return web.IssueForm{
		New: func(repo, title, body string, _ []string) string {
			return "https://example.org/" + repo + "/new?" + url.Values{"title": {title}, "body": {body}}.Encode()
		},
		Search: func(repo, text string) string {
			return "https://example.org/" + repo + "/issues?" + url.Values{"q": {text}}.Encode()
		},
	}
}

// runs has none: every result is from elsewhere.
type runs struct{ web.Runs }

func (runs) Execution(context.Context, string) (job.Execution, error) {
	return job.Execution{}, job.ErrNoExecution
}

func results(ctx context.Context, folder string, tests int) (*blob.Bucket, time.Time, error) {
	if folder != "" {
		b, err := fileblob.OpenBucket(folder, nil)
		return b, time.Now(), err
	}
	b := memblob.OpenBucket(nil)
	for i := range 200 {
		if err := build(ctx, b, "ci-big", i, 200, tests); err != nil {
			return nil, now, errors.Join(err, b.Close())
		}
	}
	for i := range 30 {
		if err := build(ctx, b, "ci-small", i, 30, 12); err != nil {
			return nil, now, errors.Join(err, b.Close())
		}
	}
	return b, now, nil
}

var suites = [...]string{"storage", "network", "scheduling", "node", "api", "auth", "apps"}

// build writes one build. What fails depends on its number alone.
func build(ctx context.Context, b *blob.Bucket, name string, n, of, tests int) error {
	start := now.Add(time.Duration(n-of) * 30 * time.Minute)
	var cases strings.Builder
	failed := false
	for t := range tests {
		fmt.Fprintf(&cases, `<testcase name="%s.TestVoyage%03d/leg_%d_of_the_way_around_the_cape" time="%d.%d">`, suites[t%len(suites)], t, t%9, 5+t%40+(n*n+t)%7, n%10)
		switch {
		case t == 3 && n >= of-6, t == 11 && n >= of-4, t == 17 && (n*7+t)%13 == 0, t == 40 && n%2 == 0, t > 8 && (n*31+t*17)%1009 == 0, name == "ci-big" && n == of/2:
			failed = true
			fmt.Fprintf(&cases, `<failure message="expected the tide at 12:%02d, got low water &lt;%d&gt; after waiting 30 s for pod-%d to be ready">voyage_test.go:%d</failure>`, n%60, n, n, t)
		case t%29 == 5 && n%3 == 0:
			cases.WriteString(`<skipped message="needs a deep-water berth"/>`)
		}
		cases.WriteString("</testcase>")
	}
	id := fmt.Sprintf("18284093203%08d", n)
	files := map[string]string{
		"started.json":           fmt.Sprintf(`{"timestamp":%d}`, start.Unix()),
		"artifacts/junit_01.xml": "<testsuite>" + cases.String() + "</testsuite>",
		"finished.json":          fmt.Sprintf(`{"timestamp":%d,"passed":%t,"result":"%s","revision":"4f2a91%034x","metadata":{"Commit":"%09x"}}`, start.Unix()+int64(1200+n*2+n*n*37%411), !failed, map[bool]string{true: "FAILURE", false: "SUCCESS"}[failed], 0xc0ffee00+n/4, 0xc0ffee0+n/4),
	}
	if n == of-1 {
		delete(files, "finished.json") // it is still running
	}
	for file, text := range files {
		if err := b.WriteAll(ctx, "logs/"+name+"/"+id+"/"+file, []byte(text), nil); err != nil {
			return fmt.Errorf("writing build %s: %w", id, err)
		}
	}
	return nil
}
