package cli

import (
	"errors"

	"github.com/spf13/pflag"
)

// pushBuildAliases are the command lines of the script that krel push follows.
func pushBuildAliases() []alias {
	return []alias{{words: []string{"push-build.sh"}, short: "push a build to a bucket", declare: declarePushBuild}}
}

func declarePushBuild(fl *pflag.FlagSet) translation {
	push := declarePush(fl, "extra-publish-file")
	federation := fl.Bool("federation", false, "not understood: there is no federation here")
	kind := fl.String("release-kind", "kubernetes", "not understood but for kubernetes: the repository says what is built")
	return func(args []string) ([]string, error) {
		if *federation || *kind != "kubernetes" {
			return nil, errors.New("federation was a project of its own, and is built and pushed in its own repository")
		}
		return push(args)
	}
}
