package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// kubepkgAliases are the command lines of kubepkg, which makes packages.
func kubepkgAliases() []alias {
	return []alias{
		{words: []string{"kubepkg", "debs"}, short: "make deb packages", declare: func(fl *pflag.FlagSet) translation { return declareKubepkg(fl, "deb") }},
		{words: []string{"kubepkg", "rpms"}, short: "make rpm packages", declare: func(fl *pflag.FlagSet) translation { return declareKubepkg(fl, "rpm") }},
	}
}

// declareKubepkg declares kubepkg's flags. Its templates are package
// declarations here, one file for each package: NAME.yaml. It fetched
// Kubernetes's programs itself; here they are what was built, or files the
// declarations name.
func declareKubepkg(fl *pflag.FlagSet, format string) translation {
	names := fl.StringSlice("packages", nil, "packages to make: NAME.yaml of the template folder (all of it if none)")
	channels := fl.StringSlice("channels", nil, "make nothing unless the version belongs to one of these channels")
	arch := fl.StringSlice("arch", nil, "architectures to make packages for, in Go's words")
	version := fl.String("kube-version", "", "version to package")
	templates := fl.String("template-dir", "", "folder of the package declarations")
	out := fl.String("output-dir", "", "folder for the packages")
	plan := fl.Bool("spec-only", false, "print what would be made, and make nothing")
	foreign := map[string]*string{}
	for name, why := range map[string]string{
		"revision":                   "write revision in the package declarations",
		"cni-version":                "name the package's own version by --kube-version, or declare its dependency",
		"cri-tools-version":          "name the package's own version by --kube-version, or declare its dependency",
		"release-download-link-base": "nothing is downloaded: run seaworthy build, or put the programs where the declarations name them",
	} {
		foreign[name] = fl.String(name, "", "has no meaning here: "+why)
	}
	fl.String("log-level", "info", "ignored: what happened is printed")
	return func(args []string) ([]string, error) {
		if len(args) > 0 {
			return nil, errors.New("it takes flags only")
		}
		for name, value := range foreign {
			if *value != "" {
				return nil, fmt.Errorf("--%s: %s", name, strings.TrimPrefix(fl.Lookup(name).Usage, "has no meaning here: "))
			}
		}
		line := []string{"package", "build", "--format", format}
		if len(*names) > 0 && *templates == "" {
			return nil, errors.New("--packages needs --template-dir, the folder of their declarations")
		}
		for _, n := range *names {
			line = append(line, "--spec", filepath.Join(*templates, n+".yaml"))
		}
		if len(*names) == 0 && *templates != "" {
			line = append(line, "--spec", *templates)
		}
		for _, a := range slices.Compact(slices.Sorted(slices.Values(*arch))) {
			line = append(line, "--platform", kubepkgPlatform(a))
		}
		for _, c := range *channels {
			line = append(line, "--channel", c)
		}
		for _, f := range []struct{ name, value string }{{"--version", *version}, {"--out", *out}} {
			if f.value != "" {
				line = append(line, f.name, f.value)
			}
		}
		if *plan {
			line = append(line, "--plan")
		}
		return line, nil
	}
}

func kubepkgPlatform(arch string) string {
	if arch == "arm" {
		return "linux/arm/v7" // kubepkg's arm packages are armhf
	}
	return "linux/" + arch
}
