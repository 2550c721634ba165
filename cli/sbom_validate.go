package cli

import (
	"crypto/md5"  //nolint:gosec // documents list such sums
	"crypto/sha1" //nolint:gosec // SPDX prescribes it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"seaworthy/artifact/sbom"
)

// verdictOnSBOM is what validate prints.
type verdictOnSBOM struct {
	Valid    bool             `json:"valid"`
	Format   sbom.Format      `json:"format"`
	Packages int              `json:"packages"`
	Files    int              `json:"files"`
	Findings []sbom.Finding   `json:"findings"`
	Checked  []sbom.FileCheck `json:"checked,omitempty"`
	Remarks  []string         `json:"remarks,omitempty"`
}

// validateFlags are the flags of sbom validate.
type validateFlags struct {
	dir          string
	files, rules []string
	quiet        bool
	out          outputFlag
}

func newSBOMValidate(s Streams) *cobra.Command {
	f := validateFlags{rules: []string{"spdx", "ntia"}}
	c := &cobra.Command{
		Use:   "validate FILE",
		Short: "Judge a bill of materials, and files against it",
		Long: `Holds a document to the rules of SPDX 2.3 and to NTIA's minimum elements: every package has a supplier, a name, a
version, something that names it uniquely and a relationship, and the document an author and a time. Everything that
is wrong is listed at once, and where.

With --dir or --file, only the files are judged: whether they have the checksums the document lists for them, and with
--dir whether none is missing and none is there that is not listed. The exit code is 3 if anything is wrong.`,
		Example: `  seaworthy sbom validate halyard.spdx.json
  seaworthy sbom validate halyard.spdx.json --rules spdx
  seaworthy sbom validate halyard.spdx.json --dir ./src`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return f.run(s, args[0]) },
	}
	c.Flags().StringVarP(&f.dir, "dir", "d", "", "`folder` whose files are judged")
	c.Flags().StringSliceVarP(&f.files, "file", "f", nil, "`file` to judge; repeat it for more")
	c.Flags().StringSliceVar(&f.rules, "rules", f.rules, "`rules` to judge a document by: spdx, ntia")
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "print only the verdict")
	f.out.add(c)
	return c
}

func (f *validateFlags) run(s Streams, file string) error {
	for _, r := range f.rules {
		if r != "spdx" && r != "ntia" {
			return usagef("--rules %q: write spdx, ntia or both", r)
		}
	}
	reading, err := readAnySBOM(s, file)
	if err != nil {
		return err
	}
	d := reading.Document
	v := verdictOnSBOM{Format: reading.Format, Packages: len(d.Packages), Files: len(d.Files), Findings: []sbom.Finding{}, Remarks: reading.Remarks}
	onFiles := f.dir != "" || len(f.files) > 0
	if onFiles {
		if v.Checked, err = checkAgainst(d, f.dir, f.files); err != nil {
			return err
		}
	} else {
		v.Findings = append(v.Findings, slices.DeleteFunc(sbom.Validate(d), func(x sbom.Finding) bool { return !slices.Contains(f.rules, string(x.Rule)) })...)
	}
	wrong := len(v.Findings)
	for _, c := range v.Checked {
		if c.Status != sbom.Same {
			wrong++
		}
	}
	v.Valid = wrong == 0
	if !f.quiet {
		if err := f.out.print(s.Out, v, func(w io.Writer) error { return drawVerdict(w, v) }); err != nil {
			return err
		}
	}
	switch {
	case v.Valid:
		return nil
	case onFiles:
		return verdictError{fmt.Sprintf("%s not as %s says.", count(wrong, "file is", "files are"), file)}
	}
	return verdictError{fmt.Sprintf("%s in %s.", count(wrong, "problem", "problems"), file)}
}

func drawVerdict(w io.Writer, v verdictOnSBOM) error {
	for _, r := range v.Remarks {
		if _, err := fmt.Fprintln(w, oneLine("Remark: "+r)); err != nil {
			return err
		}
	}
	var rows [][]string
	if len(v.Checked) > 0 {
		for _, f := range v.Checked {
			var wrong []string
			for _, a := range f.Wrong {
				wrong = append(wrong, string(a))
			}
			rows = append(rows, []string{f.Name, string(f.Status), strings.Join(wrong, " ")})
		}
		return table(w, "", []string{"file", "is", "wrong sums"}, rows)
	}
	for _, f := range v.Findings {
		rows = append(rows, []string{string(f.Rule), string(f.Where), f.Name, oneLine(f.Text)})
	}
	empty := fmt.Sprintf("Valid: %s, %s, %s.", v.Format, count(v.Packages, "package", "packages"), count(v.Files, "file", "files"))
	return table(w, empty, []string{"rule", "where", "name", "what"}, rows)
}

// checkAgainst measures files and compares them with a document.
func checkAgainst(d sbom.Document, dir string, files []string) ([]sbom.FileCheck, error) {
	var measured []sbom.File
	for _, name := range files {
		f, err := sumsOf(name)
		if err != nil {
			return nil, err
		}
		measured = append(measured, f)
	}
	if dir == "" {
		return sbom.CheckFiles(d, measured, false), nil
	}
	// Nothing outside the folder is read, whatever its links point at.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, usageError{err}
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			if err == nil && e.IsDir() && e.Name() == ".git" {
				return fs.SkipDir
			}
			return err
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		file, err := sumUp(name, f)
		measured = append(measured, file)
		return errors.Join(err, f.Close())
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	return sbom.CheckFiles(d, measured, true), nil
}

func sumsOf(name string) (sbom.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return sbom.File{}, usageError{err}
	}
	file, err := sumUp(filepath.ToSlash(name), f)
	return file, errors.Join(err, f.Close())
}

// sumUp computes the sums documents list, in one pass.
func sumUp(name string, r io.Reader) (sbom.File, error) {
	algorithms := []sbom.ChecksumAlgorithm{sbom.SHA1, sbom.SHA256, sbom.SHA512, sbom.MD5}
	hashes := []hash.Hash{sha1.New(), sha256.New(), sha512.New(), md5.New()} //nolint:gosec // see above
	var all []io.Writer
	for _, h := range hashes {
		all = append(all, h)
	}
	if _, err := io.Copy(io.MultiWriter(all...), r); err != nil {
		return sbom.File{}, fmt.Errorf("reading %s: %w", name, err)
	}
	f := sbom.File{Name: name}
	for i, h := range hashes {
		f.Checksums = append(f.Checksums, sbom.Checksum{Algorithm: algorithms[i], Value: hex.EncodeToString(h.Sum(nil))})
	}
	return f, nil
}
