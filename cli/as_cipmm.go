package cli

import (
	"errors"

	"github.com/spf13/pflag"
)

// cipmmAliases are the command line of cip-mm, which adds what staging holds to
// a thin manifest.
func cipmmAliases() []alias {
	return []alias{{words: []string{"cip-mm"}, short: "add images of a staging registry to a thin manifest", declare: func(fl *pflag.FlagSet) translation {
		dir := fl.String("base_dir", "", "folder of thin manifests")
		staging := fl.String("staging_repo", "", "staging registry")
		images := fl.StringSlice("filter_image", nil, "only this image")
		digests := fl.StringSlice("filter_digest", nil, "only this digest")
		tags := fl.StringSlice("filter_tag", nil, "only this tag")
		return func(args []string) ([]string, error) {
			if len(args) > 0 {
				return nil, errFlagsOnly
			}
			if *dir == "" || *staging == "" {
				return nil, errors.New("--base_dir and --staging_repo are needed")
			}
			l := commandLine{"promote", "manifest", "images", "--manifests", *dir, "--staging", *staging}
			l.each("--image", *images)
			l.each("--digest", *digests)
			l.each("--tag", *tags)
			return l, nil
		}
	}}}
}
