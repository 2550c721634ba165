package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// krelAliases are the command lines of krel, which cuts Kubernetes' releases.
// What it hands to a build service runs here, so --submit makes no difference.
func krelAliases() []alias {
	return []alias{
		{words: []string{"krel", "stage"}, short: "stage a release", declare: declareKrelStage},
		{words: []string{"krel", "release"}, short: "cut a staged release", declare: declareKrelRelease},
		{words: []string{"krel", "ff"}, short: "fast-forward a release branch", declare: declareKrelFastForward},
		{words: []string{"krel", "fast-forward"}, short: "fast-forward a release branch", declare: declareKrelFastForward},
		{words: []string{"krel", "history"}, short: "list what ran for a release", declare: declareKrelHistory},
		{words: []string{"krel", "push"}, short: "push a build to a bucket", declare: declareKrelPush},
		{words: []string{"krel", "ci-build"}, short: "build in CI and push to a bucket", declare: declareKrelCIBuild},
		{words: []string{"krel", "announce", "send"}, short: "send the announcement of a release", declare: declareKrelAnnounce},
		{words: []string{"krel", "testgridshot"}, short: "draw the dashboards of a branch for the release issue", declare: declareKrelTestgridshot},
	}
}

// declareKrel adds what every command of krel takes, and returns --nomock.
func declareKrel(fl *pflag.FlagSet) *bool {
	ignored(fl, "warnings and results are printed", "log-level")
	return fl.Bool("nomock", false, "act for real; without this it is a rehearsal")
}

// krelKinds are krel's kinds of release and ours: they have the same names.
const krelKinds = "alpha, beta, rc or official"

// krelBranch is a branch as we name it: what krel calls master is the default
// branch, whatever its name.
func krelBranch(branch string) string {
	if branch == "master" {
		return ""
	}
	return branch
}

func declareKrelStage(fl *pflag.FlagSet) translation {
	nomock := declareKrel(fl)
	kind := fl.String("type", "alpha", "kind of release: "+krelKinds)
	branch := fl.String("branch", "master", "branch to release from")
	build := fl.String("build-version", "", "build whose commit is released, such as v1.23.0-alpha.1.123+4e9bdd481e2400")
	ignoredSwitches(fl, "it runs here", "submit", "stream")
	return func(args []string) ([]string, error) {
		if len(args) > 0 {
			return nil, errFlagsOnly
		}
		l := commandLine{"release", "stage", "--type", *kind}
		l.add("--branch", krelBranch(*branch))
		if *build != "" {
			_, commit, found := strings.Cut(*build, "+")
			if !found {
				return nil, fmt.Errorf("--build-version %s names no commit: write one such as v1.23.0-alpha.1.123+4e9bdd481e2400", *build)
			}
			l.add("--commit", strings.TrimSuffix(commit, "-dirty"))
		}
		l.when(*nomock, "--nomock")
		return l, nil
	}
}

func declareKrelRelease(fl *pflag.FlagSet) translation {
	nomock := declareKrel(fl)
	build := fl.String("build-version", "", "what krel stage printed")
	ignored(fl, "the stage knows its kind", "type")
	ignored(fl, "the stage knows its branch", "branch")
	ignoredSwitches(fl, "it runs here", "submit", "stream")
	return func(args []string) ([]string, error) {
		if len(args) > 0 {
			return nil, errFlagsOnly
		}
		if *build == "" {
			return nil, errors.New("--build-version is needed: stage prints it")
		}
		l := commandLine{"release", "cut", "--build-version", *build}
		l.when(*nomock, "--nomock")
		return l, nil
	}
}

func declareKrelFastForward(fl *pflag.FlagSet) translation {
	nomock := declareKrel(fl)
	branch := fl.String("branch", "", "release branch to move (the latest if empty)")
	ref := fl.String("ref", "", "commit of the default branch to move to (its tip if empty)")
	quiet := fl.Bool("non-interactive", false, "do not ask")
	org := fl.String("github-org", "", "owner of the repository")
	repo := fl.String("github-repo", "", "name of the repository")
	ignoredSwitches(fl, "it runs here", "submit", "stream")
	ignoredSwitches(fl, "the folder of a run is always removed", "cleanup")
	ignored(fl, "each run has a clone of its own", "repo-path")
	ignored(fl, "it runs here", "project-id")
	return func(args []string) ([]string, error) {
		if len(args) > 0 {
			return nil, errFlagsOnly
		}
		l := commandLine{"branch", "ff"}
		l.when(*branch != "", *branch)
		l.add("--ref", strings.TrimPrefix(*ref, "origin/"))
		if (*org == "") != (*repo == "") {
			return nil, errors.New("name --github-org and --github-repo, or neither")
		}
		l.when(*org != "", "--repo", *org+"/"+*repo)
		l.when(*quiet, "--non-interactive")
		l.when(*nomock, "--nomock")
		return l, nil
	}
}

func declareKrelHistory(fl *pflag.FlagSet) translation {
	declareKrel(fl)
	branch := fl.String("branch", "", "branch of the release")
	from := fl.String("date-from", "", "first day, 2021-12-07 (today if empty)")
	to := fl.String("date-to", "", "last day, 2021-12-07")
	return func(args []string) ([]string, error) {
		if len(args) > 0 {
			return nil, errFlagsOnly
		}
		l := commandLine{"release", "history", "-o", "markdown", "--limit", "0"}
		l.add("--branch", krelBranch(*branch))
		l.add("--date-from", *from)
		l.add("--date-to", *to)
		return l, nil
	}
}

func declareKrelAnnounce(fl *pflag.FlagSet) translation {
	nomock := declareKrel(fl)
	tag := fl.StringP("tag", "t", "", "tag of the release")
	printOnly := fl.BoolP("print-only", "p", false, "print it and send nothing")
	ignored(fl, "who sends is configured (release.announce.from)", "name", "email")
	ignoredSwitches(fl, "no browser is needed to log in", "no-browser")
	return func(args []string) ([]string, error) {
		if len(args) > 0 {
			return nil, errFlagsOnly
		}
		if *tag == "" {
			return nil, errors.New("--tag is needed")
		}
		l := commandLine{"announce", "send", "--tag", *tag}
		l.when(*printOnly, "--print-only")
		l.when(*nomock, "--nomock")
		return l, nil
	}
}

func declareKrelTestgridshot(fl *pflag.FlagSet) translation {
	declareKrel(fl)
	branch := fl.String("branch", "master", "branch whose dashboards are meant")
	boards := fl.StringSlice("boards", []string{"blocking", "informing"}, "kinds of dashboards")
	states := fl.StringSlice("states", []string{"FAILING"}, "states of tabs")
	pages := fl.String("testgrid-url", "", "TestGrid that tabs are linked to (the platform's pages if empty)")
	bucket := fl.String("bucket", "k8s-staging-releng", "name or URL of the bucket for the pictures")
	issue := fl.Int("github-issue", -1, "issue to comment on")
	ignored(fl, "credentials say which project", "project")
	return func(args []string) ([]string, error) {
		if len(args) > 0 {
			return nil, errFlagsOnly
		}
		l := commandLine{"grid", "snapshot", "--branch", *branch, "--boards", strings.Join(*boards, ","), "--states", strings.Join(*states, ",")}
		l.add("--testgrid-url", *pages)
		// krel knows of the bucket and puts nothing there unless it is asked to.
		if fl.Changed("bucket") {
			if !strings.Contains(*bucket, "://") {
				*bucket = "gs://" + *bucket
			}
			l.add("--out", strings.TrimRight(*bucket, "/")+"/testgridshot/"+*branch)
		}
		l.when(*issue > 0, "--issue", strconv.Itoa(*issue))
		return l, nil
	}
}

// krelPush are the flags that krel's two commands for builds share.
type krelPush struct {
	nomock, fast, allowDup, noUpdate, validate *bool
	bucket, buildDir, suffix                   *string
	markers                                    *[]string
}

func declareKrelBuild(fl *pflag.FlagSet, markers string) krelPush {
	p := krelPush{
		nomock: declareKrel(fl), fast: fl.Bool("fast", false, "build for linux/amd64 alone"),
		allowDup: fl.Bool("allow-dup", false, "a version that is there may be pushed again"),
		noUpdate: fl.Bool("noupdatelatest", false, "raise no marker"),
		validate: fl.Bool("validate-images", false, "look for the images in the registry"),
		bucket:   fl.String("bucket", "", "name or URL of the bucket (the platform's own if empty)"),
		suffix:   fl.String("version-suffix", "", "text that the version ends in"),
		markers:  fl.StringSlice(markers, nil, "further markers to raise"),
		buildDir: fl.String("buildDir", "", "folder that holds what was built already"),
	}
	ignoredSwitches(fl, "files are as readable as the bucket is", "private-bucket")
	ignoredSwitches(fl, "credentials are those of docker login", "configure-docker")
	ignored(fl, "the commit is built from a clone of its own", "repo-root")
	return p
}

// line makes our command line, with builds below the folder root.
func (p krelPush) line(root, registry string) ([]string, error) {
	if registry != "" {
		return nil, fmt.Errorf("images are pushed to the registry that the platform has, not to %s: use 'seaworthy release push --images'", registry)
	}
	l := commandLine{"release", "push"}
	l.when(*p.nomock, "--nomock")
	l.add("--gcs-root", root)
	l.when(*p.fast, "--fast")
	l.when(*p.allowDup, "--allow-dup")
	l.when(*p.noUpdate, "--noupdatelatest")
	l.when(*p.validate, "--validate-images")
	if *p.bucket != "" && !strings.Contains(*p.bucket, "://") {
		*p.bucket = "gs://" + *p.bucket
	}
	l.add("--bucket", *p.bucket)
	l.add("--build-dir", *p.buildDir)
	l.add("--version-suffix", *p.suffix)
	l.each("--extra-version-markers", *p.markers)
	return l, nil
}

func declareKrelCIBuild(fl *pflag.FlagSet) translation {
	p := declareKrelBuild(fl, "extra-version-markers")
	root := fl.String("gcs-root", "", "folder of the bucket (ci if empty)")
	registry := fl.String("registry", "", "not understood: images go to the registry of the platform")
	ignoredSwitches(fl, "it is a build for all anyway", "ci")
	return func(args []string) ([]string, error) {
		if len(args) > 0 {
			return nil, errFlagsOnly
		}
		return p.line(*root, *registry)
	}
}

// declareKrelPush maps the push of what was built: below ci/ with --ci, and
// else one's own, below devel/, which raises no marker.
func declareKrelPush(fl *pflag.FlagSet) translation {
	return declarePush(fl, "extra-version-markers")
}

func declarePush(fl *pflag.FlagSet, markers string) translation {
	p := declareKrelBuild(fl, markers)
	ci := fl.Bool("ci", false, "a build for all: below ci/, with markers")
	kind := fl.String("release-type", "", "folder of the bucket (ci with --ci, else devel)")
	end := fl.String("gcs-suffix", "", "text that the folder ends in")
	registry := fl.String("docker-registry", "", "not understood: images go to the registry of the platform")
	return func(args []string) ([]string, error) {
		if len(args) > 0 {
			return nil, errFlagsOnly
		}
		root := *kind
		if root == "" {
			root = map[bool]string{true: "ci", false: "devel"}[*ci]
		}
		*p.noUpdate = *p.noUpdate || !*ci
		return p.line(root+*end, *registry)
	}
}
