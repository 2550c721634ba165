package config

import (
	"regexp"
	"strings"
	"text/template"
	"unicode"
)

// Detected is what a look at a repository finds. The zero value is a Go module
// of which nothing is known.
type Detected struct {
	Name          string   // of the repository; taken from Module if empty
	Description   string   // one sentence
	Module        string   // module path of go.mod
	DefaultBranch string   // "main" if empty
	Mains         []string // folders of main packages, such as "./cmd/halyard"
	VersionVar    string   // variable that holds the version, such as "main.version"
	Files         []string // of LICENSE, README.md and the like, those there are
	Maintainers   []string // logins of who may approve a release
	Owners        bool     // OWNERS files say who reviews and approves
}

// Default returns the configuration of a Go module without a file: what
// Example would write. The error is that of Parse, for a branch's name that
// cannot be one.
func Default(d Detected) (Project, error) {
	return Parse("default "+Name, Example(d))
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// Example returns a commented seaworthy.yaml with what was detected filled in.
// Parse reads it.
func Example(d Detected) []byte {
	if d.Name == "" {
		d.Name = lastElement(d.Module)
	}
	d.Name = strings.TrimLeft(notInName.ReplaceAllString(d.Name, "-"), "._-")
	if d.Name == "" {
		d.Name = "project"
	}
	if d.DefaultBranch == "" {
		d.DefaultBranch = "main"
	}
	var out strings.Builder
	// Writing to a strings.Builder cannot fail, and the template is tested.
	_ = exampleTemplate.Execute(&out, d)
	return []byte(out.String())
}

// lastElement is a module's own name: "v2" at the end is its version.
func lastElement(module string) string {
	parts := strings.Split(module, "/")
	last := parts[len(parts)-1]
	if len(parts) > 1 && majorVersion.MatchString(last) {
		last = parts[len(parts)-2]
	}
	return last
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// quoted writes a text so that YAML reads it back, on one line and without what
// cannot be seen.
func quoted(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func list(items []string) string {
	q := make([]string, len(items))
	for i, s := range items {
		q[i] = quoted(s)
	}
	return "[" + strings.Join(q, ", ") + "]"
}

var exampleTemplate = template.Must(template.New(Name).Funcs(template.FuncMap{
	"quoted":  quoted,
	"list":    list,
	"exactly": func(branch string) string { return "^" + regexp.QuoteMeta(branch) + "$" },
}).Parse(`# How {{.Name}} is tested, merged and released.
# Every field but version may be left out; what is written below are the
# defaults, or what was found in the repository.
version: 1

project:
  name: {{quoted .Name}}
  description: {{quoted .Description}}
  default_branch: {{quoted .DefaultBranch}}

# What is tested, in the form of Prow's jobs (.prow.yaml): presubmits for pull
# requests, postsubmits after a merge, periodics by the clock (cron in UTC).
jobs:
  # More jobs may be kept in files of their own.
  files: [".prow.yaml"]
  presubmits:
    - name: pull-{{.Name}}-vet
      always_run: true
      decorate: true
      decoration_config: {timeout: 15m}
      spec:
        containers:
          - command: [go, vet, ./...]
    - name: pull-{{.Name}}-test
      always_run: true
      decorate: true
      decoration_config: {timeout: 30m}
      annotations:
        seaworthy/junit: go-test # each test becomes a row of the grid
      spec:
        containers:
          - command: [go, test, -v, ./...]
  postsubmits:
    - name: ci-{{.Name}}-test
      branches: [{{quoted (exactly .DefaultBranch)}}, "^release-"]
      decorate: true
      decoration_config: {timeout: 30m}
      annotations:
        seaworthy/junit: go-test
        testgrid-dashboards: {{.Name}}
        testgrid-tab-name: test
      spec:
        containers:
          - command: [go, test, -v, ./...]
  # periodics:
  #   - name: ci-{{.Name}}-nightly
  #     cron: "0 3 * * *"
  #     decorate: true
  #     spec:
  #       containers:
  #         - command: [go, test, -race, ./...]

# What a change needs to merge, besides its required jobs.
merge:
  method: merge # or squash, rebase
  labels:
    {{- if .Owners}}
    require: [lgtm, approved]
    {{- else}}
    # There is no OWNERS file, so anybody who works on this repository may say
    # /approve, and nobody else has to look. With more people: [lgtm, approved].
    require: [approved]
    {{- end}}
    forbid: [do-not-merge/hold, do-not-merge/work-in-progress, needs-rebase]
  # Milestone that merged changes get, by branch:
  # milestone: { {{- quoted .DefaultBranch}}: v0.1}
  # Contexts of other systems that must be green, too:
  # required_contexts: [cla]
  batch_limit: 5 # changes tested and merged together at most

# What a release is made of.
build:
  go:
    main: {{list .Mains}} # all main packages if empty
    # {version}, {number}, {commit} and {date} are filled in.
    {{if .VersionVar}}ldflags: {{quoted (printf "-X %s={version}" .VersionVar)}}{{else}}# ldflags: -X main.version={version}{{end}}
    env: {CGO_ENABLED: "0"}
  platforms: [linux/amd64, linux/arm64, darwin/arm64, windows/amd64]
  files: {{if .Files}}{{list .Files}}{{else}}["LICENSE*", "README*"]{{end}}

# Made of what was built for each platform:
# images: # container images, pushed to the registry
#   - name: {{.Name}}
#     files: [{source: {{.Name}}, path: /usr/bin/{{.Name}}}]
#     entrypoint: [/usr/bin/{{.Name}}]
# packages: # deb, rpm and apk
#   - name: {{.Name}}
#     summary: {{quoted .Description}}
#     maintainer: Ada <ada@example.org>
#     license: Apache-2.0
#     platforms: [linux/amd64, linux/arm64]
#     contents: [{source: "{build}/{{.Name}}", destination: /usr/bin/{{.Name}}}]

release:
  tag_prefix: v
  branch_pattern: release-{major}.{minor}
  changelog: CHANGELOG/CHANGELOG-{major}.{minor}.md
  # What must hold before a release is cut.
  gates:
    # Jobs that must be green; all required postsubmits of the branch if empty.
    green: []
    runs: 1 # results in a row
    rehearsal: required # a mock of the same commit must have succeeded
    # Who must agree, one of each role:
    {{- if .Maintainers}}
    approvals:
      - role: release manager
        logins: {{list .Maintainers}}
    {{- else}}
    # approvals:
    #   - role: release manager
    #     logins: [ada]
    {{- end}}
  announce:
    to: []
    # from: release@example.org
    subject: "{name} {version} is out"

# Test results are shown on the dashboards that jobs name in their
# testgrid-dashboards annotation, and on these:
grid:
  dashboards: []
`))
