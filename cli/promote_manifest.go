package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"

	"seaworthy/app"
	"seaworthy/artifact"
	"seaworthy/artifact/promote"
	"seaworthy/artifact/propose"
	"seaworthy/strict"
)

func newPromoteManifest(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "manifest", Short: "Promotion manifests: grow, list, snapshot, validate"}
	c.AddCommand(newManifestImages(s), newManifestFiles(s), newManifestSnapshot(s), newManifestValidate(s))
	return c
}

func newManifestImages(s Streams) *cobra.Command {
	var dir string
	var w propose.Wanted
	var digests []string
	var print bool
	c := &cobra.Command{
		Use:   "images",
		Short: "Add what staging holds to the images.yaml of a thin manifest here",
		Long: `Asks the staging registry what it holds, keeps what the filters let through, and adds it to the images.yaml of the
thin manifest in this folder that promotes from there. Lines are added; nothing else in the file changes. latest is
never added, since a published tag stays.`,
		Example: `  seaworthy promote manifest images --manifests registry.k8s.io --staging gcr.io/k8s-staging-kas --tag v0.30.4
  seaworthy promote manifest images --manifests . --staging localhost:5000/staging --image app --print`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if w.Digests, err = parseDigests(digests); err != nil {
				return err
			}
			return growManifest(cmd.Context(), s, dir, w, print)
		},
	}
	fl := c.Flags()
	fl.StringVar(&dir, "manifests", "", "`folder` of thin manifests")
	fl.StringVar(&w.Staging, "staging", "", "staging `registry`")
	fl.StringArrayVarP(&w.Tags, "tag", "t", nil, "only what has this `tag` (repeatable)")
	fl.StringArrayVar(&w.Images, "image", nil, "only this `image` (repeatable)")
	fl.StringArrayVar(&digests, "digest", nil, "only this `digest` (repeatable)")
	fl.BoolVar(&print, "print", false, "print the new text instead of writing the file")
	require(c, "manifests", "staging")
	return c
}

func growManifest(ctx context.Context, s Streams, dir string, w propose.Wanted, print bool) error {
	w.Staging = strings.TrimRight(w.Staging, "/")
	read, err := readManifests(ctx, dir, "")
	if err != nil {
		return err
	}
	var file string
	for _, m := range read.now {
		if m.Source().Name != w.Staging {
			continue
		}
		if file != "" {
			return usagef("%s and %s both promote from %s", file, m.ImagesFile, w.Staging)
		}
		file = m.ImagesFile
		for _, i := range m.Images {
			w.Known = append(w.Known, i.Name)
		}
	}
	if file == "" {
		return usagef("no manifest in %s promotes from %s", dir, w.Staging)
	}
	found, err := propose.Find(ctx, propose.NewRegistry(propose.RegistryOptions{}), w)
	if err != nil {
		return err
	}
	tellMissing(s, found)
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	edited, changes, err := promote.Add(file, text, found.Images)
	if err != nil {
		return err
	}
	if print {
		_, err := s.Out.Write(edited)
		return err
	}
	if len(changes) > 0 {
		if err := replaceFile(file, edited); err != nil {
			return err
		}
	}
	for _, c := range changes {
		fmt.Fprintf(s.Out, "%s %s %s\n", c.Image, c.Digest, strings.Join(c.Tags, " "))
	}
	_, err = fmt.Fprintf(s.Out, "%s added to %s.\n", count(len(changes), "image", "images"), file)
	return err
}

// replaceFile writes a file as a whole or not at all.
func replaceFile(name string, text []byte) (err error) {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return os.Rename(f.Name(), name)
}

func newManifestFiles(s Streams) *cobra.Command {
	var source, prefix string
	c := &cobra.Command{
		Use:   "files",
		Short: "List the files of a folder or bucket with their sums, as a manifest",
		Long: `Reads every file below a folder or a bucket, file://, s3://, gs:// or azblob://, and prints the list that a file
promotion manifest holds.`,
		Example: `  seaworthy promote manifest files --src dist --prefix v1.2.3 > manifests/app/v1.2.3.yaml
  seaworthy promote manifest files --src gs://staging-app/releases`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if strings.Contains(source, "://") || isFolder(source) {
				files, err := sumFiles(cmd.Context(), source, prefix)
				if err != nil {
					return err
				}
				_, err = s.Out.Write(promote.RenderFiles(files))
				return err
			}
			return usagef("--src: %s is not a folder", source)
		},
	}
	c.Flags().StringVar(&source, "src", "", "`folder` or address of a bucket to list")
	c.Flags().StringVar(&prefix, "prefix", "", "`path` to put before the names")
	require(c, "src")
	return c
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// sumFiles sums up what a bucket or folder holds.
func sumFiles(ctx context.Context, source, prefix string) (_ []promote.File, err error) {
	bucket, err := app.OpenBucket(ctx, source)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bucket.Close()) }()
	var mu sync.Mutex
	var files []promote.File
	work, working := errgroup.WithContext(ctx)
	work.SetLimit(2 * runtime.GOMAXPROCS(0))
	for list := bucket.List(nil); ; {
		o, err := list.Next(working)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listing %s: %w", source, err), work.Wait())
		}
		if o.IsDir || strings.HasSuffix(o.Key, "/") {
			continue
		}
		name := o.Key
		if prefix != "" {
			name = strings.Trim(prefix, "/") + "/" + name
		}
		if err := promote.CheckFileName(name); err != nil {
			return nil, errors.Join(err, work.Wait())
		}
		work.Go(func() error {
			d, err := sumObject(working, bucket, o.Key)
			if err != nil {
				return fmt.Errorf("summing up %s of %s: %w", o.Key, source, err)
			}
			mu.Lock()
			defer mu.Unlock()
			files = append(files, promote.File{Name: name, Digest: d})
			return nil
		})
	}
	return files, work.Wait()
}

func sumObject(ctx context.Context, bucket *blob.Bucket, key string) (_ artifact.Digest, err error) {
	r, err := bucket.NewReader(ctx, key, nil)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(h, r)
	return artifact.Digest("sha256:" + hex.EncodeToString(h.Sum(nil))), errors.Join(err, r.Close())
}

func newManifestSnapshot(s Streams) *cobra.Command {
	var manifests, registry, tag, format string
	var minimal bool
	c := &cobra.Command{
		Use:   "snapshot",
		Short: "List what a registry holds, or should by manifests, as images.yaml or CSV",
		Long: `Prints images with their digests and tags in the layout of images.yaml, or as lines of name@digest,name:tag. Of a
registry itself only digests with tags are listed: most registries tell of no others.`,
		Example: `  seaworthy promote manifest snapshot --registry localhost:5000/prod
  seaworthy promote manifest snapshot --manifests registry.k8s.io --registry us.gcr.io/k8s-artifacts-prod --format csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "yaml" && format != "csv" {
				return usagef("--format %s: write yaml or csv", format)
			}
			var images []promote.Image
			if manifests != "" {
				read, err := readManifests(cmd.Context(), manifests, "")
				if err != nil {
					return err
				}
				images = promote.Snapshot(read.now, registry)
			} else {
				held, err := held(cmd.Context(), strings.TrimRight(registry, "/"))
				if err != nil {
					return err
				}
				images = held.Images(registry)
			}
			images = chosen(images, tag, minimal)
			text := promote.RenderImages(images)
			if format == "csv" {
				text = promote.RenderImagesCSV(images)
			}
			_, err := s.Out.Write(text)
			return err
		},
	}
	fl := c.Flags()
	fl.StringVar(&manifests, "manifests", "", "`path` of manifests to go by; without it the registry itself is asked")
	fl.StringVar(&registry, "registry", "", "`registry` to list")
	fl.StringVar(&tag, "tag", "", "list only what has this `tag`")
	fl.BoolVar(&minimal, "minimal", false, "leave out digests without tags")
	fl.StringVar(&format, "format", "yaml", "`how` to print: yaml or csv")
	require(c, "registry")
	return c
}

// chosen filters a snapshot.
func chosen(images []promote.Image, tag string, minimal bool) []promote.Image {
	var kept []promote.Image
	for _, i := range images {
		var entries []promote.Entry
		for _, e := range i.Entries {
			if tag != "" {
				e.Tags = only(e.Tags, tag)
			}
			if len(e.Tags) > 0 || tag == "" && !minimal {
				entries = append(entries, e)
			}
		}
		if i.Entries = entries; len(entries) > 0 {
			kept = append(kept, i)
		}
	}
	return kept
}

func only(tags []string, wanted string) []string {
	for _, t := range tags {
		if t == wanted {
			return []string{t}
		}
	}
	return nil
}

// held asks a registry for all its tags.
func held(ctx context.Context, registry string) (*promote.Inventory, error) {
	r := propose.NewRegistry(propose.RegistryOptions{})
	names, err := r.Images(ctx, registry)
	if err != nil {
		return nil, err
	}
	all := promote.NewInventory()
	for _, n := range names {
		tags, err := r.Tags(ctx, registry+"/"+n, nil)
		if err != nil {
			return nil, err
		}
		for t, d := range tags {
			all.Add(registry+"/"+n, d, t)
		}
	}
	return all, nil
}

func newManifestValidate(s Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "validate PATH | validate FILESTORES FILES",
		Short: "Check promotion manifests, of images or files (exit code 2 if one is wrong)",
		Long: `Reads a thick image manifest, a folder of thin ones, or a folder of file promotions, and names everything wrong with
them with its line. Two paths are a file of filestores and the file or folder of files that goes with it.`,
		Example: `  seaworthy promote manifest validate registry.k8s.io
  seaworthy promote manifest validate filepromoter-manifest.yaml files.yaml`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			what, problems := validate(args)
			failures, warnings := strict.Split(problems)
			for _, w := range warnings {
				if !slices.ContainsFunc(failures, func(f strict.Problem) bool { return f.File == w.File && f.Line == w.Line }) {
					fmt.Fprintln(s.Err, w.String())
				}
			}
			if err := strict.AsError(failures); err != nil {
				return err
			}
			_, err := fmt.Fprintln(s.Out, what)
			return err
		},
	}
}

// osFiles are files by the names that the command line gives them.
type osFiles struct{}

// Open implements fs.FS, for names that fs.ValidPath does not know as well.
func (osFiles) Open(name string) (fs.File, error) { return os.Open(name) }

// validate reads manifests of either kind.
func validate(args []string) (string, []strict.Problem) {
	if len(args) == 2 {
		m, problems := promote.ReadFilePair(osFiles{}, args[0], args[1], "")
		return "All is well: " + count(len(m.Files), "file", "files") + ".", problems
	}
	folder, inside := manifestTree(args[0])
	if isFolder(filepath.Join(folder, "filestores")) && inside == "." {
		manifests, problems := promote.ReadFiles(os.DirFS(folder), ".", filepath.ToSlash(folder))
		files := 0
		for _, m := range manifests {
			files += len(m.Files)
		}
		return fmt.Sprintf("All is well: %s in %s.", count(files, "file", "files"), count(len(manifests), "project", "projects")), problems
	}
	shown := filepath.ToSlash(folder)
	if shown == "." {
		shown = ""
	}
	manifests, problems := promote.Read(os.DirFS(folder), inside, shown)
	for _, m := range manifests {
		for _, i := range m.Images {
			for _, e := range i.Entries {
				if e.Fault != "" {
					problems = append(problems, strict.Problem{File: m.ImagesFile, Line: e.Line, Message: e.Fault})
				}
			}
		}
	}
	plan := promote.Make(manifests, nil)
	for _, r := range plan.Refusals {
		if r.Reason == promote.TagClash {
			problems = append(problems, strict.Problem{File: r.Manifest, Line: r.Line, Message: r.Why})
		}
	}
	c := plan.Counts
	return fmt.Sprintf("All is well: %s in %s.", count(c.Digests, "image", "images"), count(c.Manifests, "manifest", "manifests")), strict.Sort(problems)
}
