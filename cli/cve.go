package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"seaworthy/artifact/advisory"
)

func newCVE(s Streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "cve",
		Short: "List a project's vulnerabilities, and write them for scanners",
	}
	c.AddCommand(newCVEList(s), newCVEExport(s))
	return c
}

// readAdvisories reads note maps and feeds: files, and folders of them. What is
// irregular is told of on stderr.
func readAdvisories(s Streams, args []string) ([]advisory.Advisory, error) {
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, usageError{err}
		}
		if !info.IsDir() {
			files = append(files, arg)
			continue
		}
		err = filepath.WalkDir(arg, func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(p)) {
				files = append(files, p)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	var all []advisory.Advisory
	seen := map[string]string{}
	for _, file := range files {
		list, warnings, err := readAdvisoryFile(file)
		for _, w := range warnings {
			if err := said(s.Err, "warning: %s\n", w); err != nil {
				return nil, err
			}
		}
		if err != nil {
			return nil, usageError{err}
		}
		for _, a := range list {
			if first, ok := seen[a.ID]; ok {
				return nil, usagef("%s is in %s and in %s: keep one", a.ID, first, file)
			}
			seen[a.ID] = file
			all = append(all, a)
		}
	}
	slices.SortFunc(all, func(x, y advisory.Advisory) int { return strings.Compare(x.ID, y.ID) })
	return all, nil
}

func readAdvisoryFile(file string) ([]advisory.Advisory, []string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, 64<<20))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	if start := bytes.TrimSpace(text); bytes.HasPrefix(start, []byte("{")) && bytes.Contains(start, []byte("jsonfeed.org")) {
		return advisory.ReadFeed(file, text)
	}
	return advisory.ReadMaps(file, text)
}

const cveInput = `Vulnerabilities are read from note maps with datafields.cve, as Kubernetes' release team writes them, and from feeds
(JSON Feed) such as Kubernetes' official one; from files or folders of them. Which versions are affected is said by
datafields.cve.affected, or by the headings "Affected Versions" and "Fixed Versions" in the text.`

func newCVEList(s Streams) *cobra.Command {
	var o outputFlag
	c := &cobra.Command{
		Use:     "list FILE|FOLDER…",
		Short:   "List vulnerabilities",
		Long:    cveInput,
		Example: `  seaworthy cve list maps/`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := readAdvisories(s, args)
			if err != nil {
				return err
			}
			if list == nil {
				list = []advisory.Advisory{}
			}
			return o.print(s.Out, list, func(w io.Writer) error {
				var rows [][]string
				for _, a := range list {
					score, published := "-", "-"
					if a.Score > 0 {
						score = strconv.FormatFloat(a.Score, 'f', 1, 64) + " " + a.Rating
					}
					if !a.Published.IsZero() {
						published = a.Published.Format(time.DateOnly)
					}
					ranges := 0
					for _, f := range a.Affected {
						ranges += len(f.Ranges)
					}
					rows = append(rows, []string{a.ID, published, score, count(ranges, "range", "ranges"), a.Title})
				}
				return table(w, "No vulnerabilities.", []string{"id", "published", "score", "affected", "title"}, rows)
			})
		},
	}
	o.add(c)
	return c
}

// cveFlags are those of cve export.
type cveFlags struct {
	format, pkg, author, id, at, out string
	releases                         []string
}

func newCVEExport(s Streams) *cobra.Command {
	var f cveFlags
	c := &cobra.Command{
		Use:   "export FILE|FOLDER…",
		Short: "Write vulnerabilities as OSV records or as an OpenVEX document",
		Long: cveInput + `

An OSV record is about ranges of versions: one is printed, several go into the folder --out as ID.json. A VEX document
is about releases: it says of each --release whether it is affected, fixed or not affected by each vulnerability.`,
		Example: `  seaworthy cve export --format osv --package k8s.io/kubernetes --out osv/ maps/
  seaworthy cve export --format openvex --package k8s.io/kubernetes --release v1.30.1 --author Ada maps/ > vex.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			at, err := f.time()
			if err != nil {
				return err
			}
			list, err := readAdvisories(s, args)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				return usagef("no vulnerability is in there")
			}
			switch f.format {
			case "osv":
				return f.osv(s, list, at)
			case "openvex":
				return f.vex(s, list, at)
			}
			return usagef("--format is %q: write osv or openvex", f.format)
		},
	}
	c.Flags().StringVar(&f.format, "format", "osv", "`format`: osv or openvex")
	c.Flags().StringVar(&f.pkg, "package", "", "the project's `package`: a Go module's path or a package URL")
	c.Flags().StringSliceVar(&f.releases, "release", nil, "`version` that the VEX document speaks of")
	c.Flags().StringVar(&f.author, "author", "", "`who` says so, in the VEX document")
	c.Flags().StringVar(&f.id, "id", "", "`IRI` of the VEX document (made from its content if empty)")
	c.Flags().StringVar(&f.at, "time", "", "`time` of the document or of the change, RFC 3339 or a date (now, or that of the publication for OSV, if empty)")
	c.Flags().StringVar(&f.out, "out", "", "`path` of the folder for OSV records, or of the file for the VEX document (stdout if empty)")
	return c
}

func (f *cveFlags) time() (time.Time, error) {
	if f.at == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, f.at); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usagef("--time %q: write 2026-03-04 or 2026-03-04T05:06:07Z", f.at)
}

func (f *cveFlags) osv(s Streams, list []advisory.Advisory, at time.Time) error {
	if f.out == "" && len(list) > 1 {
		return usagef("there are %d records: name the folder for them with --out", len(list))
	}
	for _, a := range list {
		r, err := a.OSV(f.pkg, at)
		if err != nil {
			return usageError{err}
		}
		if len(r.Affected) == 0 {
			if err := said(s.Err, "warning: %s: no affected versions are known, so scanners will find nothing by it\n", a.ID); err != nil {
				return err
			}
		}
		text, err := r.Encode()
		if err != nil {
			return err
		}
		if f.out == "" {
			_, err = s.Out.Write(text)
			return err
		}
		if err := os.MkdirAll(f.out, 0o755); err != nil {
			return err
		}
		if err := writeWhole(filepath.Join(f.out, a.ID+".json"), text, 0o644); err != nil {
			return err
		}
	}
	return said(s.Err, "wrote %s to %s\n", count(len(list), "record", "records"), f.out)
}

func (f *cveFlags) vex(s Streams, list []advisory.Advisory, at time.Time) error {
	if at.IsZero() {
		at = time.Now()
	}
	text, err := advisory.VEX(list, advisory.VEXOptions{Package: f.pkg, Releases: f.releases, Author: f.author, Time: at, ID: f.id})
	if err != nil {
		return usageError{err}
	}
	if f.out != "" {
		return writeWhole(f.out, text, 0o644)
	}
	_, err = s.Out.Write(text)
	return err
}
