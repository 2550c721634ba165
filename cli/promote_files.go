package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/artifact/promote"
	"seaworthy/artifact/transfer"
	"seaworthy/strict"
)

// promoteFiles is what promote files was asked for.
type promoteFiles struct {
	manifests, filestores, files, state string
	nomock                              bool
	parallel                            int
	out                                 outputFlag
}

func newPromoteFiles(s Streams) *cobra.Command {
	var f promoteFiles
	c := &cobra.Command{
		Use:   "files",
		Short: "Promote files from bucket to bucket: plan, and with --nomock copy",
		Long: `Reads manifests that name files with their sha256 sums and the buckets they go from and to, prints what the
destinations lack, and with --nomock copies it. A file appears at its destination only if its sum is right, and is read
there again. What is there already is left alone; if it differs, that file is refused, for published files stay. A file
that the source lacks, or that fails, keeps no other from being copied; the exit code is 1 then, and 3 for refusals.

--manifests names a folder with filestores/PROJECT/filepromoter-manifest.yaml and manifests/PROJECT/*.yaml. Buckets are
file://, s3://, gs:// and azblob:// URLs.`,
		Example: `  seaworthy promote files --manifests artifacts
  seaworthy promote files --filestores filepromoter-manifest.yaml --files v1.0.0.yaml --nomock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), s) },
	}
	fl := c.Flags()
	fl.StringVar(&f.manifests, "manifests", "", "`folder` of file promotions")
	fl.StringVar(&f.filestores, "filestores", "", "`file` that lists the buckets")
	fl.StringVar(&f.files, "files", "", "`file` or folder that lists the files")
	fl.BoolVar(&f.nomock, "nomock", false, "do it; without this nothing is changed")
	addState(c, &f.state)
	fl.IntVar(&f.parallel, "parallel", 0, "at most this `many` files at once (8 if 0)")
	f.out.add(c)
	return c
}

// read reads the manifests and says what is odd about them.
func (f *promoteFiles) read(s Streams) ([]transfer.FileManifest, error) {
	var manifests []promote.FileManifest
	var problems []strict.Problem
	switch {
	case f.manifests != "" && f.filestores == "" && f.files == "":
		manifests, problems = promote.ReadFiles(os.DirFS(f.manifests), ".", filepath.ToSlash(f.manifests))
	case f.manifests == "" && f.filestores != "" && f.files != "":
		m, more, err := filePair(f.filestores, f.files)
		if err != nil {
			return nil, err
		}
		problems = more
		manifests = []promote.FileManifest{m}
	default:
		return nil, usagef("name a folder with --manifests, or both --filestores and --files")
	}
	if err := strict.AsError(problems); err != nil {
		return nil, err
	}
	_, odd := strict.Split(problems)
	for _, p := range odd {
		fmt.Fprintln(s.Err, "warning: "+p.String())
	}
	var all []transfer.FileManifest
	for _, m := range manifests {
		to := transfer.FileManifest{File: m.File, From: m.Source().Base}
		for _, d := range m.Destinations() {
			to.To = append(to.To, d.Base)
		}
		for _, file := range m.Files {
			to.Files = append(to.Files, transfer.WantedFile{Name: file.Name, Digest: file.Digest})
		}
		all = append(all, to)
	}
	return all, nil
}

// filePair reads one file promotion from wherever its files are, and names
// them as they were named where it can.
func filePair(stores, files string) (promote.FileManifest, []strict.Problem, error) {
	if filepath.IsLocal(stores) && filepath.IsLocal(files) {
		m, problems := promote.ReadFilePair(os.DirFS("."), path.Clean(filepath.ToSlash(stores)), path.Clean(filepath.ToSlash(files)), "")
		return m, problems, nil
	}
	var inRoot [2]string
	for n, file := range []string{stores, files} {
		abs, err := filepath.Abs(file)
		if err != nil {
			return promote.FileManifest{}, nil, usageError{err}
		}
		inRoot[n] = strings.TrimPrefix(filepath.ToSlash(abs), "/")
	}
	m, problems := promote.ReadFilePair(os.DirFS("/"), inRoot[0], inRoot[1], "/")
	return m, problems, nil
}

func (f *promoteFiles) run(ctx context.Context, s Streams) (err error) {
	manifests, err := f.read(s)
	if err != nil {
		return err
	}
	o := transfer.FileOptions{Open: app.OpenBucket, Parallel: f.parallel}
	if o.Journal, err = journal(f.state, f.nomock); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Journal.Close()) }()
	bar := &progress{w: s.Err, live: screenOn(s.Err).Live}
	o.Report = func(i transfer.FileItem) { bar.step(i.Name) }
	p, err := transfer.PrepareFiles(ctx, manifests, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if f.out.format == "table" {
		if err := filesTable(s.Out, p); err != nil {
			return err
		}
	}
	if f.nomock {
		bar.total = p.Count(transfer.FileCopy)
		err := p.Run(ctx)
		bar.end()
		if err != nil {
			return fmt.Errorf("%w; what is done stays done: run it again to go on", err)
		}
	}
	if err := f.print(s, p); err != nil {
		return err
	}
	if n := p.Count(transfer.FileFailed, transfer.FileMissing); n > 0 {
		return fmt.Errorf("%s not promoted", count(n, "file was", "files were"))
	}
	if n := p.Count(transfer.FileDiffers); n > 0 {
		return verdictError{count(n, "file is refused: another is published under its name.", "files are refused: others are published under their names.")}
	}
	return nil
}

// filesTable prints the plan: what is as it should be is counted only.
func filesTable(w io.Writer, p *transfer.FilePromotion) error {
	var rows [][]string
	for _, i := range p.Items {
		if i.State != transfer.FilePresent {
			rows = append(rows, []string{string(i.State), i.Name, bytesOf(i.Size), i.From, i.To, oneLine(i.Why)})
		}
	}
	if err := table(w, "Nothing is to be promoted.", []string{"state", "file", "size", "from", "to", "remark"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s: %d to copy, %d there already, %d refused, %d missing, %d that could not be looked at.\n", count(len(p.Items), "file", "files"),
		p.Count(transfer.FileCopy), p.Count(transfer.FilePresent), p.Count(transfer.FileDiffers), p.Count(transfer.FileMissing), p.Count(transfer.FileFailed))
	return err
}

func (f *promoteFiles) print(s Streams, p *transfer.FilePromotion) error {
	if f.out.format != "table" {
		items := p.Items
		if items == nil {
			items = []transfer.FileItem{}
		}
		return f.out.print(s.Out, struct {
			Mock  bool                `json:"mock"`
			Files []transfer.FileItem `json:"files"`
		}{!f.nomock, items}, nil)
	}
	if !f.nomock {
		_, err := fmt.Fprintln(s.Out, "This was a mock run: nothing was changed. Add --nomock to do it.")
		return err
	}
	for _, i := range p.Items {
		switch i.State {
		case transfer.FileCopied:
			fmt.Fprintf(s.Out, "✓ %s → %s\n", i.Name, i.To)
		case transfer.FileFailed, transfer.FileMissing, transfer.FileDiffers:
			fmt.Fprintf(s.Out, "✗ %s → %s: %s\n", i.Name, i.To, oneLine(i.Why))
		}
	}
	_, err := fmt.Fprintf(s.Out, "%s copied.\n", count(p.Count(transfer.FileCopied), "file", "files"))
	return err
}
