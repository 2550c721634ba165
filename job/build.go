package job

import (
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"seaworthy/strict"
)

// builder turns what is written into jobs, noting what is wrong.
type builder struct {
	file     string
	problems []Problem
	failed   bool // something is wrong with the job being built
	// patterns keeps compiled expressions: files repeat the same few.
	patterns map[string]*regexp.Regexp
	// loose holds the branch patterns already warned of.
	loose map[string]bool
}

var validName = regexp.MustCompile(`^[A-Za-z0-9-._]+$`)

func (b *builder) base(t Type, repo string, y baseYAML) *Job {
	b.failed = false
	j := &Job{
		Type: t, Repo: repo, Name: y.Name, File: b.file, Line: y.Lines.Start,
		Agent: y.Agent, Cluster: y.Cluster, Labels: y.Labels, Annotations: y.Annotations,
		MaxConcurrency: y.MaxConcurrency, Queue: y.JobQueueName, Hidden: y.Hidden,
		Decorate: y.Decorate != nil && *y.Decorate,
		Timeout:  y.DecorationConfig.Timeout, GracePeriod: y.DecorationConfig.GracePeriod,
		PathAlias: y.PathAlias, CloneURI: y.CloneURI, CloneDepth: y.CloneDepth, SkipSubmodules: y.SkipSubmodules,
		ExtraRefs: y.ExtraRefs, Rerun: y.RerunAuthConfig, Reporter: y.ReporterConfig, Pod: y.Spec,
	}
	if r := y.DecorationConfig.GCSConfiguration; r != nil && r.Bucket != "" {
		j.Results = path.Join(r.Bucket, r.PathPrefix)
	}
	if j.Agent == "" {
		j.Agent = "kubernetes"
	}
	switch {
	case y.Name == "":
		b.fail(j.Line, "a %s without a name: write name: …", t)
	case !validName.MatchString(y.Name):
		b.fail(y.Lines.Of("name"), "job name %q: write it with letters, digits, '-', '_' and '.' only", y.Name)
	}
	if y.MaxConcurrency < 0 {
		b.fail(y.Lines.Of("max_concurrency"), "max_concurrency is %d: write 0 for no limit, or a positive number", y.MaxConcurrency)
	}
	if j.Timeout < 0 || j.GracePeriod < 0 {
		b.fail(y.Lines.Of("decoration_config"), "a negative time in decoration_config: write one such as 30m")
	}
	b.container(y)
	b.checkRefs(y)
	if r := y.RerunAuthConfig; r != nil && r.AllowAnyone && len(r.Users)+len(r.Orgs)+len(r.TeamIDs)+len(r.Teams) > 0 {
		b.fail(y.Lines.Of("rerun_auth_config"), "rerun_auth_config allows anyone and names people, too: write one of them")
	}
	return j
}

func (b *builder) container(y baseYAML) {
	if y.Agent != "" && y.Agent != "kubernetes" {
		b.warn(y.Lines.Of("agent"), "job %s wants agent %q, which is not run here: write agent: kubernetes with a spec", y.Name, y.Agent)
		return
	}
	if y.Spec == nil || len(y.Spec.Containers) == 0 {
		b.fail(y.Lines.Start, "job %s has nothing to run: write spec: with one entry under containers", y.Name)
		return
	}
	if n := len(y.Spec.Containers); n > 1 {
		b.warn(y.Lines.Of("spec"), "job %s has %d containers: outside a cluster only the first is run", y.Name, n)
	}
	for _, c := range y.Spec.Containers {
		seen := make(map[string]bool, len(c.Env))
		for _, e := range c.Env {
			switch {
			case e.Name == "" || strings.ContainsAny(e.Name, "=\x00"):
				b.fail(y.Lines.Of("spec"), "job %s: environment variable %q: write a name without '='", y.Name, e.Name)
			case seen[e.Name]:
				b.warn(y.Lines.Of("spec"), "job %s sets %s twice: the later one counts; remove one", y.Name, e.Name)
			}
			seen[e.Name] = true
		}
	}
}

func (b *builder) checkRefs(y baseYAML) {
	seen := make(map[string]bool, len(y.ExtraRefs))
	for _, r := range y.ExtraRefs {
		key := r.Org + "/" + r.Repo
		if r.Org == "" || r.Repo == "" {
			b.fail(y.Lines.Of("extra_refs"), "job %s: an entry of extra_refs needs both org and repo", y.Name)
		} else if seen[key] {
			b.fail(y.Lines.Of("extra_refs"), "job %s: extra_refs has %s twice: remove one", y.Name, key)
		}
		seen[key] = true
	}
}

func (b *builder) presubmit(repo string, y presubmitYAML) *Job {
	j := b.base(Presubmit, repo, y.baseYAML)
	j.AlwaysRun, j.Optional, j.RunBeforeMerge = y.AlwaysRun, y.Optional, y.RunBeforeMerge
	b.conditions(j, y.Lines, y.branchesYAML, y.changesYAML, y.reportYAML)
	if y.RunBeforeMerge && (y.AlwaysRun || y.RunIfChanged != "" || y.SkipIfOnlyChanged != "") {
		b.fail(y.Lines.Of("run_before_merge"), "job %s: run_before_merge goes with none of always_run, run_if_changed, skip_if_only_changed: remove it", j.Name)
	}
	b.triggers(j, y)
	return b.done(j)
}

// triggers fills in how a comment starts a presubmit.
func (b *builder) triggers(j *Job, y presubmitYAML) {
	j.Trigger, j.RerunCommand = y.Trigger, y.RerunCommand
	switch {
	case y.Trigger == "" && y.RerunCommand == "":
		// Compiled when a comment holds the name: there are thousands of
		// jobs, and few comments.
		j.Trigger = `(?m)^/test( | .* )` + regexp.QuoteMeta(j.Name) + `,?($|\s.*)`
		j.RerunCommand = "/test " + j.Name
		return
	case y.Trigger == "":
		b.fail(y.Lines.Of("rerun_command"), "job %s has rerun_command without trigger: write both or neither", j.Name)
		return
	case y.RerunCommand == "":
		b.fail(y.Lines.Of("trigger"), "job %s has trigger without rerun_command: write both or neither", j.Name)
		return
	}
	re, err := regexp.Compile(j.Trigger)
	if err != nil {
		b.fail(y.Lines.Of("trigger"), "trigger: %v", err)
		return
	}
	j.trigger = re
	if !re.MatchString(j.RerunCommand) {
		b.fail(y.Lines.Of("rerun_command"), "job %s: rerun_command %q does not match trigger %q: make them agree", j.Name, j.RerunCommand, j.Trigger)
	}
}

func (b *builder) postsubmit(repo string, y postsubmitYAML) *Job {
	j := b.base(Postsubmit, repo, y.baseYAML)
	conditional := y.RunIfChanged != "" || y.SkipIfOnlyChanged != ""
	j.AlwaysRun = !conditional
	if y.AlwaysRun != nil {
		j.AlwaysRun = *y.AlwaysRun
	}
	b.conditions(j, y.Lines, y.branchesYAML, y.changesYAML, y.reportYAML)
	return b.done(j)
}

func (b *builder) periodic(y periodicYAML) *Job {
	j := b.base(Periodic, "", y.baseYAML)
	j.Cron, j.Interval, j.MinimumInterval, j.Tags = y.Cron, y.Interval, y.MinimumInterval, y.Tags
	var given []string
	for _, f := range []string{"cron", "interval", "minimum_interval"} {
		if y.Lines.Has(f) {
			given = append(given, f)
		}
	}
	switch {
	case len(given) == 0:
		b.fail(j.Line, "periodic %s never runs: write one of cron, interval, minimum_interval", j.Name)
	case len(given) > 1:
		b.fail(y.Lines.Of(given[1]), "periodic %s has %s: keep one", j.Name, strings.Join(given, " and "))
	case given[0] == "cron":
		b.cron(j, y.Lines)
	case j.Interval <= 0 && j.MinimumInterval <= 0:
		b.fail(y.Lines.Of(given[0]), "periodic %s: %s must be longer than nothing: write one such as 6h", j.Name, given[0])
	}
	return b.done(j)
}

// someDay is where the search for a cron's first time begins; any day does.
var someDay = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// cronFields are what Prow's cron reads: five fields, or six of which the first
// is the second, or @daily and the like.
const cronFields = cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor

func (b *builder) cron(j *Job, lines strict.Lines) {
	if strings.HasPrefix(j.Cron, "CRON_TZ=") || strings.HasPrefix(j.Cron, "TZ=") {
		b.warn(lines.Of("cron"), "periodic %s: Prow accepts a time zone in cron and then does not run the job: write the time in UTC", j.Name)
	}
	s, err := cron.NewParser(cronFields).Parse(j.Cron)
	if err != nil {
		b.fail(lines.Of("cron"), "periodic %s: cron %q: %v: write five fields, minute hour day month weekday, such as 0 6 * * 1-5", j.Name, j.Cron, err)
		return
	}
	j.schedule = s
	if fields := strings.Fields(j.Cron); len(fields) == 6 && !strings.Contains(fields[0], "=") {
		b.warn(lines.Of("cron"), "periodic %s: cron %q has six fields: the first is the second of the minute, %s; write five fields if that is not meant", j.Name, j.Cron, fields[0])
	}
	if s.Next(someDay).IsZero() {
		b.warn(lines.Of("cron"), "periodic %s: cron %q never fires: no such day; correct it, or remove the job", j.Name, j.Cron)
	}
}

// conditions fills in when and where a presubmit or postsubmit runs.
func (b *builder) conditions(j *Job, lines strict.Lines, br branchesYAML, ch changesYAML, r reportYAML) {
	j.Branches, j.SkipBranches = br.Branches, br.SkipBranches
	j.RunIfChanged, j.SkipIfOnlyChanged = ch.RunIfChanged, ch.SkipIfOnlyChanged
	j.Context, j.SkipReport = r.Context, r.SkipReport
	if j.Context == "" {
		j.Context = j.Name
	}
	j.branches = b.branchPattern(j, lines, "branches", br.Branches)
	j.skip = b.branchPattern(j, lines, "skip_branches", br.SkipBranches)
	if j.RunIfChanged != "" && j.SkipIfOnlyChanged != "" {
		b.fail(lines.Of("skip_if_only_changed"), "job %s has run_if_changed and skip_if_only_changed: keep one", j.Name)
	}
	for _, c := range []struct{ field, pattern string }{
		{"run_if_changed", ch.RunIfChanged}, {"skip_if_only_changed", ch.SkipIfOnlyChanged},
	} {
		if c.pattern == "" {
			continue
		}
		if j.AlwaysRun {
			b.fail(lines.Of(c.field), "job %s has always_run: true and %s: keep one", j.Name, c.field)
		}
		j.changes = b.compile(lines.Of(c.field), c.field, c.pattern)
	}
}

func (b *builder) branchPattern(j *Job, lines strict.Lines, field string, patterns []string) *regexp.Regexp {
	if len(patterns) == 0 {
		return nil
	}
	for _, p := range patterns {
		if endsInDigit(p) && !b.loose[p] {
			if b.loose == nil {
				b.loose = map[string]bool{}
			}
			b.loose[p] = true
			b.warn(lines.Of(field), "job %s: branch pattern %q also matches %q, since patterns are not anchored: write %q", j.Name, p, p+"0", "^"+strings.TrimPrefix(p, "^")+"$")
		}
	}
	return b.compile(lines.Of(field), field, strings.Join(patterns, "|"))
}

// endsInDigit finds patterns such as release-1.2, which match release-1.20, too.
func endsInDigit(p string) bool {
	return p != "" && p[len(p)-1] >= '0' && p[len(p)-1] <= '9'
}

func (b *builder) compile(line int, field, pattern string) *regexp.Regexp {
	if re, ok := b.patterns[pattern]; ok {
		return re
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		b.fail(line, "%s: %v: write a regular expression in RE2 syntax", field, err)
		return nil
	}
	if b.patterns == nil {
		b.patterns = map[string]*regexp.Regexp{}
	}
	b.patterns[pattern] = re
	return re
}

// done returns the job, or nil if something is wrong with it.
func (b *builder) done(j *Job) *Job {
	if b.failed {
		return nil
	}
	return j
}
