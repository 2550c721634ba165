package cli

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"seaworthy/artifact/promote"
	"seaworthy/git"
	"seaworthy/strict"
)

func newPromotePlan(s Streams) *cobra.Command {
	var manifests, inventory, since string
	var out outputFlag
	c := &cobra.Command{
		Use:   "plan",
		Short: "Say what manifests ask to be promoted, and what of it is refused (exit code 3)",
		Long: `Reads promotion manifests, sets them against what the registries hold, and prints what has to be copied and
tagged. Nothing is asked of any registry: what they hold comes from a file, {registry: {image: {digest: [tags]}}};
without one nothing is known of them, and everything is planned.

An image is refused where one of its tags would have to move, where staging does not have its digest, and where
manifests give one tag to several digests. It is refused alone and as a whole: at all its destinations. The exit code
is 3 if an image is refused, and 2 if a manifest must be corrected.

--manifests names a thick manifest (one file), a folder of thin ones (manifests/PROJECT/promoter-manifest.yaml and
images/PROJECT/images.yaml), or one thin manifest's file.`,
		Example: `  seaworthy promote plan --manifests registry.k8s.io --inventory held.json
  seaworthy promote plan --manifests registry.k8s.io --since origin/main -o json
  seaworthy promote plan --manifests registry.k8s.io --since "7 days"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			read, err := readManifests(cmd.Context(), manifests, since)
			if err != nil {
				return err
			}
			var held *promote.Inventory
			if inventory != "" {
				if held, err = readInventory(s, inventory); err != nil {
					return err
				}
			}
			plan := read.plan(held)
			if err := printPromotion(s.Out, out, plan); err != nil {
				return err
			}
			return refusedBy(plan)
		},
	}
	c.Flags().StringVar(&manifests, "manifests", "", "`path` of a manifest or of a folder of thin ones")
	c.Flags().StringVar(&inventory, "inventory", "", "`file` that says what the registries hold, JSON or YAML (- reads stdin)")
	c.Flags().StringVar(&since, "since", "", "plan only what was added since this `commit`, or since an age such as \"7 days\"")
	out.add(c)
	require(c, "manifests")
	return c
}

// readInventory reads a file as it comes: that of many mirrors is large.
func readInventory(s Streams, name string) (*promote.Inventory, error) {
	if name == "-" {
		return promote.ReadInventory("stdin", s.In)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, usageError{err}
	}
	held, err := promote.ReadInventory(name, f)
	if info, wrong := f.Stat(); wrong == nil && info.IsDir() {
		err = usagef("%s is a folder: name the file that says what the registries hold", name)
	}
	return held, errors.Join(err, f.Close())
}

// manifestSet is what was read: manifests, those of an earlier commit, and what
// is odd about them.
type manifestSet struct {
	now      []promote.Manifest
	before   []promote.Manifest // nil unless asked for
	warnings []strict.Problem
}

// plan plans the manifests, or what was added to them.
func (m manifestSet) plan(held *promote.Inventory) *promote.Plan {
	plan := promote.MakeSince(m.before, m.now, held)
	m.warn(plan)
	return plan
}

// warn puts what is odd about the manifests in front of a plan's warnings, but
// for what a refusal says already.
func (m manifestSet) warn(plan *promote.Plan) {
	type place struct {
		file string
		line int
	}
	told := map[place]bool{}
	for _, r := range plan.Refusals {
		told[place{r.Manifest, r.Line}] = true
	}
	var odd []promote.Warning
	for _, w := range m.warnings {
		if !told[place{w.File, w.Line}] {
			odd = append(odd, promote.Warning{Manifest: w.File, Line: w.Line, Why: w.Message})
		}
	}
	plan.Warnings = append(odd, plan.Warnings...)
}

// readManifests reads what a path names, and with since the same path at an
// earlier commit. Errors are strict.Error where a manifest must be corrected.
func readManifests(ctx context.Context, name, since string) (manifestSet, error) {
	var set manifestSet
	folder, inside := manifestTree(name)
	shown := filepath.ToSlash(folder)
	if shown == "." {
		shown = ""
	}
	manifests, problems := promote.Read(os.DirFS(folder), inside, shown)
	if err := strict.AsError(problems); err != nil {
		return set, err
	}
	_, set.warnings = strict.Split(problems)
	set.now = manifests
	if since == "" {
		return set, nil
	}
	set.before = []promote.Manifest{}
	tree, err := treeSince(ctx, folder, since)
	if err != nil || tree == nil {
		return set, err
	}
	if _, err := fs.Stat(tree, inside); errors.Is(err, fs.ErrNotExist) {
		return set, nil
	}
	// What is wrong with the earlier manifests has been put right by now, or
	// is wrong still and was told of above.
	before, _ := promote.Read(tree, inside, since+":")
	set.before = append(set.before, before...)
	return set, nil
}

// manifestTree returns the folder that holds all of what a path of manifests
// stands for, and what to read in it: a thin manifest's file has its images in
// another folder.
func manifestTree(name string) (folder, inside string) {
	name = filepath.Clean(name)
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		own := filepath.Join(name, "promoter-manifest.yaml")
		if _, err := os.Stat(own); err != nil {
			return name, "."
		}
		name = own // the folder of one thin manifest
	}
	folder, inside = filepath.Dir(name), filepath.Base(name)
	if abs, err := filepath.Abs(folder); err == nil && filepath.Base(filepath.Dir(abs)) == "manifests" {
		inside = path.Join("manifests", filepath.Base(abs), inside)
		folder = filepath.Join(folder, "..", "..")
	}
	return folder, inside
}

// age is how people say how long ago something was.
var age = regexp.MustCompile(`^\d+ ?(second|minute|hour|day|week|month|year)s?( ago)?$`)

// treeSince returns a folder of a repository as it was at an earlier commit,
// nil if it was not there.
func treeSince(ctx context.Context, folder, since string) (fs.FS, error) {
	repo, err := openRepo(ctx, folder, "--since needs the manifests to be in one")
	if err != nil {
		return nil, err
	}
	rev := since
	if age.MatchString(since) {
		out, err := repo.Git(ctx, "rev-list", "-1", "--first-parent", "--before="+strings.TrimSuffix(since, " ago")+" ago", "HEAD")
		if err != nil {
			return nil, err
		}
		if rev = trim(out); rev == "" {
			return nil, usagef("--since %s: the history is shorter than that, or was not fetched as a whole", since)
		}
	}
	commit, err := repo.Resolve(ctx, rev)
	if errors.Is(err, git.ErrNotFound) {
		return nil, usagef("--since %s: there is no such commit here: write a commit, branch or tag, or an age such as \"7 days\"", since)
	} else if err != nil {
		return nil, err
	}
	place, err := repo.Git(ctx, "rev-parse", "--show-toplevel", "--show-prefix")
	if err != nil {
		return nil, err
	}
	top, prefix, _ := strings.Cut(place, "\n")
	// An archive made below the top would hold what is below there only.
	if repo, err = git.Open(ctx, top); err != nil {
		return nil, err
	}
	wanted := commit + ":" + strings.TrimSuffix(trim(prefix), "/")
	if _, err := repo.ResolveObject(ctx, wanted); errors.Is(err, git.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	if err := repo.Stream(ctx, nil, &archive, "archive", "--format=zip", "-0", wanted); err != nil {
		return nil, err
	}
	tree, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		return nil, fmt.Errorf("reading the archive of %s: %w", commit, err)
	}
	return tree, nil
}

// refusedBy is the verdict on a plan.
func refusedBy(p *promote.Plan) error {
	if n := len(p.Refusals); n > 0 {
		return verdictError{count(n, "image is refused.", "images are refused.")}
	}
	return nil
}

// printPromotion prints a plan. Its edges may be many: as JSON they are written one
// by one.
func printPromotion(w io.Writer, out outputFlag, p *promote.Plan) error {
	switch out.format {
	case "json":
		return planJSON(w, p)
	case "yaml":
		var text bytes.Buffer
		if err := planJSON(&text, p); err != nil {
			return err
		}
		var plain any
		if err := json.Unmarshal(text.Bytes(), &plain); err != nil {
			return fmt.Errorf("writing YAML: %w", err)
		}
		return out.print(w, plain, nil)
	}
	return planTable(w, p)
}

func planJSON(w io.Writer, p *promote.Plan) error {
	b := bufio.NewWriterSize(w, 1<<16)
	b.WriteString("{\n  \"edges\": [")
	before := "\n    "
	for _, i := range p.Items {
		// Names in manifests that were read hold nothing to be escaped.
		head := `{"source": ` + strconv.Quote(i.Source.Repository()) + `, "destination": "`
		tail, err := json.Marshal(i.Manifest)
		if err != nil {
			return fmt.Errorf("writing JSON: %w", err)
		}
		tags := i.Tags
		if len(tags) == 0 {
			tags = []string{""}
		}
		for _, tag := range tags {
			rest := `", "digest": "` + string(i.Digest) + `", "tag": "` + tag + `", "image": "` + i.Source.Image + `", "manifest": ` + string(tail) + `}`
			for _, d := range i.Destinations {
				for _, part := range []string{before, head, d.Registry, "/", d.Image, rest} {
					b.WriteString(part)
				}
				before = ",\n    "
			}
		}
	}
	if before != "\n    " {
		b.WriteString("\n  ")
	}
	b.WriteString("]")
	for _, part := range []struct {
		name  string
		value any
	}{{"refusals", append([]promote.Refusal{}, p.Refusals...)}, {"warnings", append([]promote.Warning{}, p.Warnings...)}, {"counts", p.Counts}} {
		text, err := json.MarshalIndent(part.value, "  ", "  ")
		if err != nil {
			return fmt.Errorf("writing JSON: %w", err)
		}
		fmt.Fprintf(b, ",\n  %q: %s", part.name, text)
	}
	b.WriteString("\n}\n")
	return b.Flush()
}

// planTable prints one line for each name, then what is refused or odd, then
// the sums.
func planTable(w io.Writer, p *promote.Plan) error {
	var rows [][]string
	for from := 0; from < len(p.Items); {
		to := from
		digests, edges, destinations := 0, 0, map[string]bool{}
		var tags []string
		for ; to < len(p.Items) && p.Items[to].Source == p.Items[from].Source; to++ {
			i := p.Items[to]
			if to == from || i.Digest != p.Items[to-1].Digest {
				digests++
				tags = append(tags, i.Tags...)
			}
			edges += i.Edges()
			for _, d := range i.Destinations {
				destinations[d.Registry] = true
			}
		}
		rows = append(rows, []string{p.Items[from].Source.Repository(), strconv.Itoa(digests), some(tags), strconv.Itoa(len(destinations)), strconv.Itoa(edges)})
		from = to
	}
	if err := table(w, "Nothing is to be promoted.", []string{"image", "digests", "tags", "destinations", "edges"}, rows); err != nil {
		return err
	}
	for _, r := range p.Refusals {
		fmt.Fprintf(w, "refused: %s: %s\n", at(r.Manifest, r.Line), r.Why)
	}
	for _, o := range p.Warnings {
		fmt.Fprintf(w, "warning: %s: %s\n", at(o.Manifest, o.Line), o.Why)
	}
	c := p.Counts
	_, err := fmt.Fprintf(w, "%s with %s in %s: %s to promote (%s), %d refused.\n",
		count(c.Digests, "image", "images"), count(c.Tags, "tag", "tags"), count(c.Manifests, "manifest", "manifests"),
		count(c.Promote, "image", "images"), count(c.Edges, "edge", "edges"), c.Refused)
	return err
}

func at(file string, line int) string {
	if line == 0 {
		return file
	}
	return file + ":" + strconv.Itoa(line)
}

// some lists the first few.
func some(names []string) string {
	const few = 4
	if len(names) > few {
		return strings.Join(names[:few], " ") + fmt.Sprintf(" … %d more", len(names)-few)
	}
	return strings.Join(names, " ")
}
