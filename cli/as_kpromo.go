package cli

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// kpromoAliases are the command lines of kpromo, which promotes Kubernetes'
// images and files. Where its manifests are and how its staging registries are
// called is part of that tool, and so of this file.
func kpromoAliases() []alias {
	return []alias{
		{words: []string{"kpromo", "cip"}, short: "promote images as thin or thick manifests say", declare: declareCIP},
		{words: []string{"kpromo", "pr"}, short: "propose the promotion of images as a pull request", declare: declareKpromoPR},
		{words: []string{"kpromo", "run", "files"}, short: "promote files between buckets", declare: declareKpromoFiles},
		{words: []string{"kpromo", "manifest", "files"}, short: "list files with their sums as a manifest", declare: declareManifestFiles},
		{words: []string{"kpromo", "manifest", "validate"}, short: "check manifests", declare: func(*pflag.FlagSet) translation {
			return func(args []string) ([]string, error) {
				return append([]string{"promote", "manifest", "validate"}, args...), nil
			}
		}},
		{words: []string{"kpromo", "gh"}, short: "mirror GitHub releases to a bucket", declare: declareGH2GCS},
		{words: []string{"kpromo", "sigcheck"}, short: "find published images without a signature", declare: declareSigcheck},
		{words: []string{"kpromo", "version"}, short: "print the version", declare: func(*pflag.FlagSet) translation {
			return func([]string) ([]string, error) { return []string{"version"}, nil }
		}},
	}
}

// commandLine is made of flags of another tool that were given.
type commandLine []string

func (l *commandLine) add(flag, value string) {
	if value != "" {
		*l = append(*l, flag, value)
	}
}

func (l *commandLine) each(flag string, values []string) {
	for _, v := range values {
		*l = append(*l, flag, v)
	}
}

func (l *commandLine) when(set bool, flags ...string) {
	if set {
		*l = append(*l, flags...)
	}
}

var errFlagsOnly = errors.New("it takes flags only")

// ignoredUsage begins the help of flags that say nothing here. Whoever gives one
// is told so.
const ignoredUsage = "ignored: "

// ignored declares flags with values that say nothing here, with the reason.
func ignored(fl *pflag.FlagSet, why string, names ...string) {
	for _, n := range names {
		fl.String(n, "", ignoredUsage+why)
	}
}

// ignoredSwitches declares flags that are on or off, and say nothing here.
func ignoredSwitches(fl *pflag.FlagSet, why string, names ...string) {
	for _, n := range names {
		fl.Bool(n, false, ignoredUsage+why)
	}
}

func declareKpromoPR(fl *pflag.FlagSet) translation {
	fork := fl.String("fork", "", "fork of kubernetes/k8s.io, as OWNER or OWNER/NAME")
	tags := fl.StringSliceP("tag", "t", nil, "tag of the images to promote")
	project := fl.String("project", "kubernetes", "project of the images")
	staging := fl.String("staging-repo", "", "staging registry (that of the project if empty)")
	images := fl.StringSlice("image", nil, "only these images")
	digests := fl.StringSlice("digests", nil, "only these digests")
	reviewers := fl.String("reviewers", "@kubernetes/release-engineering", "whom to tell of it")
	ask := fl.BoolP("interactive", "i", false, "ask before anything is pushed")
	ignoredSwitches(fl, "pushes go over HTTPS with the token", "use-ssh")
	ignoredSwitches(fl, "the branch is made from the repository itself", "update-repo")
	ignored(fl, "warnings and results are printed", "log-level")
	return func(args []string) ([]string, error) {
		if len(args) > 0 {
			return nil, errFlagsOnly
		}
		if *staging == "" {
			*staging = "gcr.io/k8s-staging-" + *project
		}
		l := commandLine{"promote", "pr", "--repo", "kubernetes/k8s.io", "--root", "registry.k8s.io"}
		l.add("--fork", *fork)
		l.add("--project", *project)
		l.add("--staging", strings.TrimSuffix(strings.TrimPrefix(*staging, "https://"), "/"))
		l.each("--tag", *tags)
		l.each("--image", *images)
		l.each("--digest", *digests)
		l.add("--reviewer", *reviewers)
		l.when(*project == "kubernetes", "--commit-prefix", "releng: ")
		l.when(*ask, "--interactive")
		return append(l, "--hold", "--nomock"), nil
	}
}

// ignoredByCIP are the flags of kpromo cip that say nothing here.
func ignoredByCIP(fl *pflag.FlagSet) {
	ignored(fl, "the key of --key signs", "signer-account")
	ignored(fl, "requests are bounded by --threads", "max-signature-ops")
	ignored(fl, "whose signatures count in staging is said by --staging-policy", "certificate-identity", "certificate-identity-regexp", "certificate-oidc-issuer", "certificate-oidc-issuer-regexp")
	ignoredSwitches(fl, "credentials are those of docker login and gcloud", "use-service-account")
	ignored(fl, "credentials are those of docker login and gcloud", "key-files")
	ignored(fl, "warnings and results are printed", "log-level")
}

func declareCIP(fl *pflag.FlagSet) translation {
	thick := fl.String("manifest", "", "thick manifest")
	thin := fl.String("thin-manifest-dir", "", "folder of thin manifests")
	confirm := fl.Bool("confirm", false, "promote; without this nothing is changed")
	parse := fl.Bool("parse-only", false, "only read the manifests")
	diff := fl.Bool("use-prow-manifest-diff", false, "only what this change adds, to $PULL_BASE_SHA or the commit before")
	since := fl.String("manifest-diff-since", "", "only what was added in this time, such as \"7 days\"")
	snapshot := fl.String("snapshot", "", "list what a registry holds instead")
	wanted := fl.String("manifest-based-snapshot-of", "", "list what the manifests say a registry holds instead")
	tag := fl.String("snapshot-tag", "", "list only this tag")
	minimal := fl.Bool("minimal-snapshot", false, "list no digests without tags")
	output := fl.String("output", "", "how to list: yaml or csv")
	key := fl.String("key", "", "sign with this key: a file or the address of a key service (not of kpromo)")
	policy := fl.String("staging-policy", "", "file that says who must have signed an image in staging (not of kpromo)")
	severity := fl.Int("vuln-severity-threshold", -1, "refused unless it is -1: images are not scanned for vulnerabilities here")
	size := fl.Int("max-image-size", 0, "refused unless it is 0: images are not weighed here (of older kpromo)")
	threads := fl.String("threads", "", "requests to one registry at once")
	signing := fl.Bool("sign", true, "sign what is promoted, with --key")
	ignoredByCIP(fl)
	return func(args []string) ([]string, error) {
		manifests := *thick + *thin
		switch {
		case len(args) > 0:
			return nil, errFlagsOnly
		case *severity >= 0:
			return nil, errors.New("--vuln-severity-threshold: images are not scanned for vulnerabilities here: have a scanner look at the references that 'seaworthy promote plan -o json' lists, and leave the flag out")
		case *size > 0:
			return nil, errors.New("--max-image-size: images are not weighed here: 'seaworthy image inspect' shows sizes; leave the flag out")
		case *thick != "" && *thin != "":
			return nil, errors.New("name --manifest or --thin-manifest-dir, not both")
		case *snapshot != "" || *wanted != "":
			l := commandLine{"promote", "manifest", "snapshot"}
			l.add("--registry", *snapshot+*wanted)
			l.when(*wanted != "", "--manifests", manifests)
			l.add("--tag", *tag)
			l.when(*minimal, "--minimal")
			l.add("--format", strings.ToLower(*output))
			return l, nil
		case manifests == "":
			return nil, errors.New("--manifest or --thin-manifest-dir is needed")
		case *parse:
			return []string{"promote", "manifest", "validate", manifests}, nil
		}
		if *diff && *since == "" {
			if *since = os.Getenv("PULL_BASE_SHA"); *since == "" {
				*since = "HEAD^"
			}
		}
		l := commandLine{"promote", "run", "--manifests", manifests}
		l.add("--since", *since)
		l.add("--staging-policy", *policy)
		if *signing {
			l.add("--key", *key)
		}
		l.add("--parallel", *threads)
		l.when(*confirm, "--nomock")
		return l, nil
	}
}

func declareKpromoFiles(fl *pflag.FlagSet) translation {
	manifests := fl.String("manifests", "", "folder of file promotions")
	filestores := fl.String("filestores", "", "file of filestores")
	files := fl.String("files", "", "file or folder of files")
	confirm := fl.Bool("confirm", false, "copy; without this nothing is changed")
	dry := fl.Bool("dry-run", false, "change nothing")
	ignoredSwitches(fl, "credentials are those the bucket's own tools find", "use-service-account")
	ignored(fl, "warnings and results are printed", "log-level")
	return func(args []string) ([]string, error) {
		if len(args) > 0 {
			return nil, errFlagsOnly
		}
		l := commandLine{"promote", "files"}
		l.add("--manifests", *manifests)
		l.add("--filestores", *filestores)
		l.add("--files", *files)
		l.when(*confirm && !*dry, "--nomock")
		return l, nil
	}
}

func declareManifestFiles(fl *pflag.FlagSet) translation {
	source := fl.String("src", "", "folder to list")
	prefix := fl.String("prefix", "", "path to put before the names")
	ignored(fl, "warnings and results are printed", "log-level")
	return func(args []string) ([]string, error) {
		if len(args) > 0 {
			return nil, errFlagsOnly
		}
		l := commandLine{"promote", "manifest", "files"}
		l.add("--src", *source)
		l.add("--prefix", *prefix)
		return l, nil
	}
}

// declareSigcheck maps a search by time onto one by manifests: what was
// promoted is what they say.
func declareSigcheck(fl *pflag.FlagSet) translation {
	manifests := fl.String("manifests", "registry.k8s.io", "manifests of the images to look at (not of kpromo)")
	confirm := fl.Bool("confirm", false, "sign what is not signed, with --key")
	key := fl.String("key", "", "key to sign with (not of kpromo)")
	ignored(fl, "all that the manifests name is looked at", "from-days", "to-days", "limit")
	ignored(fl, "an audit looks for any signature; seaworthy verify checks whose it is", "certificate-identity", "certificate-identity-regexp", "certificate-oidc-issuer", "certificate-oidc-issuer-regexp", "signer-account")
	ignored(fl, "warnings and results are printed", "log-level")
	return func(args []string) ([]string, error) {
		if len(args) > 0 {
			return nil, errors.New("images are not named one by one here, but by --manifests; seaworthy verify checks single ones")
		}
		if !*confirm {
			return []string{"promote", "audit", "--manifests", *manifests, "--signatures"}, nil
		}
		if *key == "" {
			return nil, errors.New("--confirm needs a --key to sign with")
		}
		return []string{"promote", "run", "--manifests", *manifests, "--nomock", "--sign-all", "--key", *key}, nil
	}
}
