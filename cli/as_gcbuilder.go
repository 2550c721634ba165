package cli

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"
)

// gcbuilderAliases are the command line of gcbuilder, which handed a folder with
// a cloudbuild.yaml and its variants to Google Cloud Build. Here they run on this
// machine. image-builder is the same tool under its older name.
func gcbuilderAliases() []alias {
	return []alias{
		{words: []string{"gcbuilder"}, short: "run cloudbuild.yaml and its variants", declare: declareGCBuilder},
		{words: []string{"image-builder"}, short: "run cloudbuild.yaml and its variants", declare: declareGCBuilder},
	}
}

func declareGCBuilder(fl *pflag.FlagSet) translation {
	configDir := fl.String("config-dir", "", "folder of cloudbuild.yaml; also as the argument")
	buildDir := fl.String("build-dir", "", "folder the steps get a copy of (--config-dir if empty)")
	config := fl.String("gcb-config", "cloudbuild.yaml", "name of the build file in --config-dir")
	logDir := fl.String("log-dir", "", "folder for logs")
	project := fl.String("project", "", "value of $PROJECT_ID")
	dirty := fl.Bool("allow-dirty", false, "build changes that are not committed")
	noSource := fl.Bool("no-source", false, "begin with an empty workspace")
	gitDir := fl.Bool("with-git-dir", false, "copy the folder .git, too")
	variant := fl.String("variant", "", "build only this variant")
	env := fl.StringSlice("env-passthrough", nil, "environment variables that become substitutions")
	substitutions := fl.StringToString("substitutions", nil, "substitutions, as NAME=VALUE,…")
	ignored(fl, "nothing is uploaded", "scratch-bucket")
	ignored(fl, "warnings and results are printed", "log-level")
	return func(args []string) ([]string, error) {
		if len(args) == 1 && *configDir == "" {
			*configDir, args = args[0], nil
		}
		if len(args) > 0 {
			return nil, errors.New("it takes one folder: --config-dir, or an argument")
		}
		if *configDir == "" {
			return nil, errors.New("--config-dir is missing: name the folder of cloudbuild.yaml")
		}
		if *buildDir == "" {
			*buildDir = *configDir
		}
		line := []string{"build", "--config", filepath.Join(*configDir, *config)}
		if !*noSource {
			line = append(line, "--build-dir", *buildDir)
		}
		for _, f := range []struct{ name, value string }{{"--variant", *variant}, {"--project", *project}, {"--artifacts", *logDir}} {
			if f.value != "" {
				line = append(line, f.name, f.value)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(*substitutions)) {
			line = append(line, "--substitution", name+"="+(*substitutions)[name])
		}
		for _, name := range *env {
			line = append(line, "--env-passthrough", name)
		}
		for _, f := range []struct {
			name string
			on   bool
		}{{"--no-source", *noSource}, {"--with-git-dir", *gitDir}, {"--require-clean", !*dirty}} {
			if f.on {
				line = append(line, f.name)
			}
		}
		return line, nil
	}
}
