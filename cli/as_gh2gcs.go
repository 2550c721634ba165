package cli

import (
	"errors"

	"github.com/spf13/pflag"
)

// gh2gcsAliases are the command line of gh2gcs, which mirrors GitHub releases.
func gh2gcsAliases() []alias {
	return []alias{{
		words: []string{"gh2gcs"}, short: "mirror GitHub releases to a bucket",
		declare: declareGH2GCS,
	}}
}

// declareGH2GCS declares the flags of gh2gcs; kpromo has the same under gh.
func declareGH2GCS(fl *pflag.FlagSet) translation {
	org := fl.String("org", "", "GitHub organization or user")
	repo := fl.String("repo", "", "GitHub repository")
	bucket := fl.String("bucket", "", "bucket to upload to")
	dir := fl.String("release-dir", "", "path in the bucket")
	tags := fl.StringSlice("tags", nil, "release tags to upload")
	output := fl.String("output-dir", "", "local folder the files are put in")
	only := fl.Bool("download-only", false, "only download the files")
	pre := fl.Bool("include-prereleases", false, "take prereleases too")
	config := fl.String("config", "", "config file")
	fl.String("log-level", "info", "ignored: what happened is printed, and a terminal shows how far it is")
	return func(args []string) ([]string, error) {
		if len(args) > 0 {
			return nil, errors.New("it takes flags only")
		}
		line := []string{"mirror", "github-release"}
		for _, f := range []struct{ name, value string }{
			{"--org", *org}, {"--repo", *repo}, {"--bucket", *bucket}, {"--release-dir", *dir}, {"--output-dir", *output}, {"--config", *config},
		} {
			if f.value != "" {
				line = append(line, f.name, f.value)
			}
		}
		for _, t := range *tags {
			line = append(line, "--tags", t)
		}
		if *only {
			line = append(line, "--download-only")
		}
		if *pre {
			line = append(line, "--include-prereleases")
		}
		return append(line, "--nomock"), nil // it knows no rehearsal
	}
}
