package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// bomAliases are the command lines of bom (sigs.k8s.io/bom).
func bomAliases() []alias {
	return []alias{
		{words: []string{"bom", "generate"}, short: "describe folders, files, archives and images as SPDX", declare: declareBomGenerate},
		{words: []string{"bom", "document", "outline"}, short: "draw what a bill of materials holds", declare: declareBomOutline},
		{words: []string{"bom", "document", "query"}, short: "find packages and files in a bill of materials", declare: declareBomQuery},
		{words: []string{"bom", "validate"}, short: "compare files with a bill of materials", declare: declareBomValidate},
	}
}

// bomLine builds a command line of ours.
type bomLine []string

func (l *bomLine) text(flag, value string) {
	if value != "" {
		*l = append(*l, flag, value)
	}
}

// list repeats a flag; a comma within a value is kept by quoting it as CSV.
func (l *bomLine) list(flag string, values []string) {
	for _, v := range values {
		if strings.ContainsAny(v, ",\"\n") {
			v = `"` + strings.ReplaceAll(v, `"`, `""`) + `"`
		}
		*l = append(*l, flag, v)
	}
}

func (l *bomLine) yes(flag string, on bool) {
	if on {
		*l = append(*l, flag)
	}
}

// declareBomCommon adds what every command of bom takes.
func declareBomCommon(fl *pflag.FlagSet) {
	fl.String("log-level", "info", "ignored: what happened is printed")
}

func declareBomGenerate(fl *pflag.FlagSet) translation {
	declareBomCommon(fl)
	dirs := fl.StringSliceP("dirs", "d", nil, "folders to describe")
	files := fl.StringSliceP("file", "f", nil, "files to describe")
	images := fl.StringSliceP("image", "i", nil, "images in registries")
	imageArchives := fl.StringSlice("image-archive", nil, "images in files")
	tarballs := fl.StringSliceP("tarball", "t", nil, "the old name of --image-archive")
	archives := fl.StringSlice("archive", nil, "archives to describe")
	ignore := fl.StringSlice("ignore", nil, "patterns of files to leave out")
	config := fl.StringP("config", "c", "", "YAML file that lists what to describe")
	license := fl.StringP("license", "l", "", "licence that is declared")
	namespace := fl.StringP("namespace", "n", "", "URI that names the document")
	name := fl.String("name", "", "name of the document")
	format := fl.String("format", "tag-value", "tag-value or json")
	output := fl.StringP("output", "o", "", "file to write")
	statement := fl.String("provenance", "", "file for an in-toto statement about what is described")
	scanImages := fl.Bool("scan-images", true, "look for packages in images")
	analyze := fl.BoolP("analyze-images", "a", false, "list every file of an image")
	noGitignore := fl.Bool("no-gitignore", false, "describe also what .gitignore leaves out")
	noGoModules := fl.Bool("no-gomod", false, "do not look for Go modules")
	noTransient := fl.Bool("no-transient", false, "only modules that the folder's own code names")
	licenseList := fl.String("license-list-version", "", "version of the SPDX licence list to state")
	return func(args []string) ([]string, error) {
		if *format != "tag-value" && *format != "json" {
			return nil, fmt.Errorf("--format %s: write tag-value or json", *format)
		}
		line := bomLine{"sbom", "generate"}
		line.list("--dir", *dirs)
		line.list("--file", *files)
		line.list("--image", *images)
		line.list("--image-archive", append(*imageArchives, *tarballs...))
		line.list("--archive", *archives)
		line.list("--ignore", *ignore)
		line.text("--config", *config)
		line.text("--license", *license)
		line.text("--namespace", *namespace)
		line.text("--name", *name)
		line.text("--format", map[string]string{"tag-value": "spdx-tag-value", "json": "spdx-json"}[*format])
		line.text("--output", *output)
		line.text("--statement", *statement)
		line.text("--license-list-version", *licenseList)
		line.yes("--no-image-packages", !*scanImages)
		line.yes("--image-files", *analyze)
		line.yes("--no-gitignore", *noGitignore)
		line.yes("--no-go-modules", *noGoModules)
		line.yes("--no-transitive", *noTransient)
		return append(line, args...), nil
	}
}

func declareBomOutline(fl *pflag.FlagSet) translation {
	declareBomCommon(fl)
	depth := fl.IntP("depth", "d", -1, "levels to draw")
	find := fl.StringP("find", "f", "", "draw only what leads to elements of this name")
	ids := fl.Bool("spdx-ids", false, "show ids")
	purls := fl.Bool("purl", false, "show purls")
	fl.Bool("version", true, "ignored: versions are shown with the names")
	return func(args []string) ([]string, error) {
		line := bomLine{"sbom", "outline"}
		if *depth >= 0 {
			line.text("--depth", fmt.Sprint(*depth))
		}
		line.text("--find", *find)
		line.yes("--spdx-ids", *ids)
		line.yes("--purl", *purls)
		return append(line, args...), nil
	}
}

func declareBomQuery(fl *pflag.FlagSet) translation {
	declareBomCommon(fl)
	fields := fl.StringSlice("fields", []string{"name"}, "fields to print: name, version, license, supplier, originator, url")
	format := fl.String("format", "text", "text, csv or json")
	purls := fl.Bool("purl", false, "print purls instead of names")
	return func(args []string) ([]string, error) {
		if *format != "text" && *format != "csv" && *format != "json" {
			return nil, fmt.Errorf("--format %s: write text, csv or json", *format)
		}
		line := bomLine{"sbom", "query", "--fields", strings.Join(*fields, ","), "--output", *format}
		line.yes("--purl", *purls)
		line.yes("--no-header", *format == "csv")
		return append(line, args...), nil
	}
}

func declareBomValidate(fl *pflag.FlagSet) translation {
	declareBomCommon(fl)
	files := fl.StringSliceP("files", "f", nil, "files to judge")
	dir := fl.StringP("dir", "d", "", "folder whose files are judged")
	exitCode := fl.BoolP("exit-code", "e", false, "print only the verdict; a file that is wrong always makes the exit code other than 0")
	return func(args []string) ([]string, error) {
		if len(args) == 0 {
			return nil, errors.New("name the document to judge files by")
		}
		if len(args) == 1 && len(*files) == 0 && *dir == "" {
			return nil, errors.New("name files or a folder to judge")
		}
		line := bomLine{"sbom", "validate", args[0]}
		line.list("--file", append(*files, args[1:]...))
		line.text("--dir", *dir)
		line.yes("--quiet", *exitCode)
		return line, nil
	}
}
