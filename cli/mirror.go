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
	"gocloud.dev/blob"

	"seaworthy/app"
	"seaworthy/artifact/transfer"
	"seaworthy/forge"
	"seaworthy/strict"
)

func newMirror(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "mirror", Short: "Copy what others publish: the releases of a forge into a bucket"}
	c.AddCommand(newMirrorGitHub(s))
	return c
}

// mirrored is one repository whose releases are mirrored: flags, or an entry of
// a file, whose names are those of gh2gcs.
type mirrored struct {
	Org                string   `json:"org"`
	Repo               string   `json:"repo"`
	Tags               []string `json:"tags,omitempty"`
	IncludePrereleases bool     `json:"includePrereleases,omitempty"`
	Bucket             string   `json:"gcsBucket"`
	ReleaseDir         string   `json:"releaseDir,omitempty"`
	CopyOptions        any      `json:"gcsCopyOptions,omitempty"` // of a program that is not used here
}

// mirrorFlags are what mirror github-release was asked for.
type mirrorFlags struct {
	mirrored
	config, outputDir, api string
	downloadOnly, replace  bool
	nomock, mocked         bool // mocked: something was only planned
	out                    outputFlag
}

func newMirrorGitHub(s Streams) *cobra.Command {
	var f mirrorFlags
	c := &cobra.Command{
		Use:   "github-release",
		Short: "Copy files of GitHub releases to a bucket (a rehearsal unless --nomock)",
		Long: `Copies the files attached to a repository's releases to a bucket, as RELEASE-DIR/TAG/NAME, and only those it lacks.
They are verified against the digests the forge tells and against lists of checksums in the release itself, such as
SHA256SUMS. A file that changed since it was mirrored is a failure, unless --replace is given. Without --nomock it is
said what a bucket would get, and the bucket is left alone; a folder, or file://, is written to in any case.

The forge is github.com or any that speaks its language. The token of $GITHUB_TOKEN is used where there is one.
--bucket takes the URLs file://, s3://, gs:// and azblob://; a bare name is a bucket of Google's.`,
		Example: `  seaworthy mirror github-release --org etcd-io --repo etcd --tags v3.6.1 --bucket s3://mirror?region=eu-west-1 --nomock
  seaworthy mirror github-release --org etcd-io --repo etcd --output-dir ./etcd --download-only
  seaworthy mirror github-release --config releases.yaml --nomock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), s) },
	}
	fl := c.Flags()
	fl.StringVar(&f.Org, "org", "", "`name` of the organization or person")
	fl.StringVar(&f.Repo, "repo", "", "`name` of the repository")
	fl.StringSliceVar(&f.Tags, "tags", nil, "mirror these `tags` only (all releases if not given)")
	fl.StringVar(&f.Bucket, "bucket", "", "`URL` of the bucket to copy to")
	fl.StringVar(&f.ReleaseDir, "release-dir", "", "`path` in the bucket")
	fl.StringVar(&f.outputDir, "output-dir", "", "`folder` to copy to as well")
	fl.BoolVar(&f.downloadOnly, "download-only", false, "copy to --output-dir alone")
	fl.BoolVar(&f.IncludePrereleases, "include-prereleases", false, "mirror prereleases too")
	fl.BoolVar(&f.replace, "replace", false, "put files that changed in the place of those mirrored before")
	fl.BoolVar(&f.nomock, "nomock", false, "write to buckets; without this nothing leaves this machine")
	fl.StringVar(&f.config, "config", "", "YAML `file` with releaseConfigs, a list of what the other flags say")
	fl.StringVar(&f.api, "api", "", "`URL` of the forge's API, such as https://ghe.example.com/api/v3/ (github.com if not given)")
	f.out.add(c)
	return c
}

// wanted returns what is to be mirrored: what the flags say or the file lists.
func (f *mirrorFlags) wanted() ([]mirrored, error) {
	if f.config == "" {
		if f.Org == "" || f.Repo == "" {
			return nil, usagef("--org and --repo are needed, or a --config that names them")
		}
		return []mirrored{f.mirrored}, nil
	}
	if f.Org != "" || f.Repo != "" || len(f.Tags) > 0 {
		return nil, usagef("--config says what to mirror: leave out --org, --repo and --tags")
	}
	text, err := os.ReadFile(f.config)
	if err != nil {
		return nil, usageError{err}
	}
	var file struct {
		ReleaseConfigs []mirrored `json:"releaseConfigs"`
	}
	if err := strict.AsError(strict.Unmarshal(f.config, text, &file)); err != nil {
		return nil, err
	}
	for _, m := range file.ReleaseConfigs {
		if m.Org == "" || m.Repo == "" {
			return nil, usagef("%s: every entry of releaseConfigs needs org and repo", f.config)
		}
	}
	if len(file.ReleaseConfigs) == 0 {
		return nil, usagef("%s lists no releaseConfigs", f.config)
	}
	return file.ReleaseConfigs, nil
}

func (f *mirrorFlags) run(ctx context.Context, s Streams) error {
	wanted, err := f.wanted()
	if err != nil {
		return err
	}
	if f.downloadOnly && f.outputDir == "" {
		return usagef("--download-only needs an --output-dir")
	}
	all := []transfer.Mirrored{}
	for _, m := range wanted {
		list, err := f.mirror(ctx, s, m)
		all = append(all, list...)
		if err != nil {
			return fmt.Errorf("mirroring %s/%s: %w", m.Org, m.Repo, err)
		}
	}
	if err := f.out.print(s.Out, all, func(w io.Writer) error { return mirrorTable(w, all) }); err != nil {
		return err
	}
	if f.mocked {
		fmt.Fprintln(s.Err, "This was a mock run for buckets: nothing was written to them. Add --nomock to do it.")
	}
	failed := 0
	for _, m := range all {
		if m.State == transfer.FileFailed || m.State == transfer.FileDiffers {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%s not mirrored", count(failed, "file was", "files were"))
	}
	return nil
}

// mirror mirrors one repository, to the folder first where one is named.
func (f *mirrorFlags) mirror(ctx context.Context, s Streams, m mirrored) (all []transfer.Mirrored, err error) {
	repo, err := forge.ParseRepoName(m.Org + "/" + m.Repo)
	if err != nil {
		return nil, usageError{err}
	}
	from, err := app.ReleasesOf(f.api, os.Getenv("GITHUB_TOKEN"), repo)
	if err != nil {
		return nil, usageError{err}
	}
	targets, err := f.targets(m)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		list, err := f.to(ctx, s, transfer.MirrorOptions{
			From: from, Tags: m.Tags, Prereleases: m.IncludePrereleases, Folder: t.folder, Replace: f.replace, Mock: !f.nomock && outside(t.url),
		}, t.url)
		all = append(all, list...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// place is where files are mirrored to.
type place struct{ url, folder string }

// outside says whether an address of a bucket is out in the world: a folder of
// this machine is not.
func outside(address string) bool {
	scheme, _, found := strings.Cut(address, "://")
	return found && !strings.EqualFold(scheme, "file")
}

func (f *mirrorFlags) targets(m mirrored) ([]place, error) {
	var all []place
	if f.outputDir != "" {
		folder, err := filepath.Abs(f.outputDir)
		if err != nil {
			return nil, err
		}
		all = append(all, place{"file://" + filepath.ToSlash(folder), path.Join(m.Org, m.Repo)})
	}
	if f.downloadOnly {
		return all, nil
	}
	bucket := m.Bucket
	switch {
	case bucket == "" && len(all) > 0:
		return nil, usagef("--bucket is needed, or --download-only")
	case bucket == "":
		return nil, usagef("--bucket is needed")
	case !strings.Contains(bucket, "://"):
		bucket = "gs://" + bucket
	}
	return append(all, place{bucket, m.ReleaseDir}), nil
}

func (f *mirrorFlags) to(ctx context.Context, s Streams, o transfer.MirrorOptions, url string) (_ []transfer.Mirrored, err error) {
	var bucket *blob.Bucket
	if bucket, err = app.OpenBucket(ctx, url); err != nil {
		return nil, usageError{err}
	}
	defer func() { err = errors.Join(err, bucket.Close()) }()
	o.Bucket = bucket
	f.mocked = f.mocked || o.Mock
	bar := &progress{w: s.Err, live: screenOn(s.Err).Live}
	defer bar.end()
	o.Report = func(m transfer.Mirrored) { bar.step(m.Key) }
	return transfer.Mirror(ctx, o)
}

func mirrorTable(w io.Writer, all []transfer.Mirrored) error {
	var rows [][]string
	verified := 0
	for _, m := range all {
		if m.Verified {
			verified++
		}
		why := m.Why
		if why == "" && !m.Verified {
			why = "no checksum vouches for it"
		}
		rows = append(rows, []string{string(m.State), m.Key, bytesOf(m.Size), oneLine(why)})
	}
	if err := table(w, "These releases have no files.", []string{"state", "file", "size", "remark"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s, %d with a checksum to vouch for them.\n", count(len(all), "file", "files"), verified)
	return err
}
