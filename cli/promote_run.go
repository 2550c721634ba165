package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/google"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/artifact"
	"seaworthy/artifact/image"
	"seaworthy/artifact/provenance"
	"seaworthy/artifact/sign"
	"seaworthy/artifact/transfer"
)

// registryFlags say how registries are reached.
type registryFlags struct {
	plain    []string
	parallel int
}

func (f *registryFlags) add(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.plain, "plain-http", nil, "`registry` (host:port) that is asked without TLS; those of this machine are anyway")
	c.Flags().IntVar(&f.parallel, "parallel", 0, "at most this `many` requests to one registry at once (32 if 0)")
}

func (f *registryFlags) open() *transfer.Registries {
	return transfer.NewRegistries(transfer.RegistryOptions{Keychain: authn.NewMultiKeychain(image.Logins(), google.Keychain), PlainHTTP: f.plain, Parallel: f.parallel, Agent: "seaworthy/" + version})
}

// promoteRun is what promote run was asked for.
type promoteRun struct {
	registryFlags
	signerFlags
	manifests, since, state, log     string
	stagingPolicy                    string
	nomock, recheck, record, signAll bool
	verbose                          bool
	out                              outputFlag
}

func newPromoteRun(s Streams) *cobra.Command {
	var f promoteRun
	c := &cobra.Command{
		Use:   "run",
		Short: "Promote images: look at the registries, plan, and with --nomock copy",
		Long: `Looks at what the registries hold, plans what the manifests ask for beyond that, prints the plan, and with --nomock
does it: content first, then signatures and attestations, the tags last. Any OCI registry can be source or destination;
credentials are those of docker login, and of gcloud for Google's registries.

An image that fails, or is refused, keeps no other from being promoted. The exit code is 1 if an image failed or its
source is lost, and 3 if images were refused because a tag would move. What was begun and not finished is taken up by
the next run, from what the destinations hold and a journal in the state folder.

With --staging-policy an image is refused unless its signatures and statements in staging fulfil the policy: the exit
code is 3.

With --key every image is signed at its first destination before it gets a tag, and the signature is copied to the
others. A signature that could not be made is made up for by the next run.`,
		Example: `  seaworthy promote run --manifests registry.k8s.io
  seaworthy promote run --manifests registry.k8s.io --nomock --log promotion.log
  seaworthy promote run --manifests promoter-manifest.yaml --nomock --key awskms:///alias/release --record`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), s) },
	}
	fl := c.Flags()
	fl.StringVar(&f.manifests, "manifests", "", "`path` of a manifest or of a folder of thin ones")
	fl.StringVar(&f.since, "since", "", "promote only what was added since this `commit`, or since an age such as \"7 days\"")
	fl.BoolVar(&f.nomock, "nomock", false, "do it; without this nothing is changed")
	fl.StringVar(&f.stagingPolicy, "staging-policy", "", "`file` that says who must have signed an image in staging; others are refused (see seaworthy verify)")
	addState(c, &f.state)
	fl.BoolVar(&f.recheck, "recheck", false, "look at every tag, also at those that were seen right within a day")
	fl.BoolVar(&f.signAll, "sign-all", false, "sign all images of the manifests, not only those promoted from here")
	fl.BoolVar(&f.record, "record", false, "attest each promotion as well: from where, to where, when")
	fl.StringVar(&f.log, "log", "", "`file` to write every image's details to, indented below its line")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "print those details on stderr")
	fl.BoolVar(&f.tags, "sign-tags", false, "write signatures as cosign's older tags (sha256-….sig), too")
	f.registryFlags.add(c)
	f.signerFlags.add(c)
	f.out.add(c)
	require(c, "manifests")
	return c
}

func addState(c *cobra.Command, state *string) {
	c.Flags().StringVar(state, "state", filepath.Join(app.DefaultDir, "promote"), "`folder` of the journal")
}

// journal opens the journal: for writing if something is to be done.
func journal(state string, write bool) (*transfer.Journal, error) {
	if write {
		return transfer.OpenJournal(state)
	}
	return transfer.ReadJournal(state)
}

func (f *promoteRun) run(ctx context.Context, s Streams) (err error) {
	if (f.record || f.signAll || f.tags) && f.key == "" && !f.keyless {
		return usagef("--record, --sign-all and --sign-tags need a --key or --keyless to sign with")
	}
	read, err := readManifests(ctx, f.manifests, f.since)
	if err != nil {
		return err
	}
	o := transfer.Options{Registries: f.open(), SignAll: f.signAll, Since: read.before}
	if f.recheck {
		o.Trust = -1
	}
	if o.Signers, err = f.signers(ctx); err != nil {
		return err
	}
	if o.Admit, err = f.admission(ctx); err != nil {
		return err
	}
	details, err := f.details(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, details.Close()) }()
	if o.Journal, err = journal(f.state, f.nomock); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Journal.Close()) }()
	bar := &progress{w: s.Err, live: screenOn(s.Err).Live}
	o.Report = func(i transfer.Outcome) {
		bar.step(i.Source)
		details.image(i)
	}
	p, err := transfer.Prepare(ctx, read.now, o)
	if err != nil {
		return err
	}
	read.warn(p.Plan)
	if f.out.format == "table" {
		if err := printPromotion(s.Out, f.out, p.Plan); err != nil {
			return err
		}
	}
	var result *transfer.Result
	if f.nomock {
		bar.total = p.Plan.Counts.Promote
		done, err := p.Run(ctx)
		bar.end()
		if err != nil {
			return fmt.Errorf("%w; what is done stays done: run it again to go on", err)
		}
		result = &done
	}
	if err := f.print(s, p, result); err != nil {
		return err
	}
	return verdictOf(p, result)
}

// print tells what was done, after the plan.
func (f *promoteRun) print(s Streams, p *transfer.Promotion, result *transfer.Result) error {
	if f.out.format == "table" {
		if result == nil {
			_, err := fmt.Fprintln(s.Out, "This was a mock run: nothing was changed. Add --nomock to do it.")
			return err
		}
		for _, o := range result.Outcomes {
			fmt.Fprintln(s.Out, outcomeLine(o))
		}
		t := result.Traffic
		_, err := fmt.Fprintf(s.Out, "%s promoted, %d failed, in %s: %s sent (%s), %d mounted, %d there already; %s.\n", count(result.Done, "image", "images"), result.Failed,
			result.Took.Round(10*time.Millisecond), count(int(t.Uploaded), "blob", "blobs"), bytesOf(t.Bytes), t.Mounted, t.Present, count(int(t.Requests), "request", "requests"))
		return err
	}
	var plan bytes.Buffer
	if err := planJSON(&plan, p.Plan); err != nil {
		return err
	}
	shown := struct {
		Plan   json.RawMessage  `json:"plan"`
		Mock   bool             `json:"mock"`
		Lost   int              `json:"lost"`
		Result *transfer.Result `json:"result,omitempty"`
	}{plan.Bytes(), result == nil, p.Lost(), result}
	return f.out.print(s.Out, shown, nil)
}

// verdictOf is the end of a run: a failure if something was lost on the way, a
// no if something was refused.
func verdictOf(p *transfer.Promotion, result *transfer.Result) error {
	if lost := p.Lost(); lost > 0 {
		return fmt.Errorf("%s lost at the source, or cannot be read there: see the refusals", count(lost, "image is", "images are"))
	}
	if result != nil && result.Failed > 0 {
		return fmt.Errorf("%s not promoted everywhere: run it again when what stood in the way is gone", count(result.Failed, "image was", "images were"))
	}
	return refusedBy(p.Plan)
}

func outcomeLine(o transfer.Outcome) string {
	mark, verb := "✓", "promoted to"
	if o.SignedOnly {
		verb = "signed at"
	}
	if len(o.Failures) > 0 {
		mark = "✗"
		verb = fmt.Sprintf("failed at %d of", len(o.Failures))
	}
	what := some(o.Tags)
	if len(o.Tags) == 0 {
		what = "without a tag"
	}
	line := fmt.Sprintf("%s %s %s %.19s… %s %s", mark, o.Source, what, o.Digest, verb, count(o.Destinations, "destination", "destinations"))
	if len(o.Failures) > 0 {
		line += ": " + oneLine(o.Failures[0].Why)
	}
	return line
}

func bytesOf(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB"}
	f, u := float64(n), 0
	for ; f >= 1000 && u < len(units)-1; u++ {
		f /= 1000
	}
	if u == 0 {
		return count(int(n), "byte", "bytes")
	}
	return fmt.Sprintf("%.1f %s", f, units[u])
}

// details is the log of a run: a line for each image, with what there is to
// know indented below it, so that editors fold it away.
type details struct {
	to    []io.Writer
	close func() error
	err   error
}

func (f *promoteRun) details(s Streams) (*details, error) {
	d := &details{close: func() error { return nil }}
	if f.verbose {
		d.to = append(d.to, s.Err)
	}
	if f.log != "" {
		file, err := os.Create(f.log)
		if err != nil {
			return nil, usageError{err}
		}
		d.to, d.close = append(d.to, file), file.Close
	}
	return d, nil
}

func (d *details) image(o transfer.Outcome) {
	if len(d.to) == 0 {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n    digest %s\n    took %s, %s came along\n", outcomeLine(o), o.Digest, o.Took.Round(time.Millisecond), count(o.Companions, "signature or attestation", "signatures and attestations"))
	for _, f := range o.Failures {
		fmt.Fprintf(&b, "    %s\n        %s\n", f.Destination, oneLine(f.Why))
	}
	_, err := io.WriteString(io.MultiWriter(d.to...), b.String())
	d.err = errors.Join(d.err, err)
}

// Close ends the log. A log that could not be written is an error.
func (d *details) Close() error { return errors.Join(d.err, d.close()) }

// progress shows on a terminal how far a run has come.
type progress struct {
	w     io.Writer
	live  bool
	done  int
	total int
}

func (p *progress) step(what string) {
	p.done++
	if p.live {
		fmt.Fprintf(p.w, "\r\x1b[K%d of %d  %.60s", p.done, max(p.total, p.done), what)
	}
}

func (p *progress) end() {
	if p.live && p.done > 0 {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// signers are those that vouch for promoted images.
func (f *promoteRun) signers(ctx context.Context) ([]transfer.Signer, error) {
	if f.key == "" && !f.keyless {
		return nil, nil
	}
	signer, err := f.signer(ctx)
	if err != nil {
		return nil, err
	}
	// One session with each registry, however many images are signed.
	puller, err := remote.NewPuller(registryOptions(ctx)...)
	if err != nil {
		return nil, err
	}
	pusher, err := remote.NewPusher(registryOptions(ctx)...)
	if err != nil {
		return nil, err
	}
	o := sign.ImageOptions{Remote: append(registryOptions(ctx), remote.Reuse(puller), remote.Reuse(pusher)), Tags: f.tags, Created: time.Now()}
	v := vouching{signer: signer, o: o}
	all := []transfer.Signer{v}
	if f.record {
		all = append(all, recording{v})
	}
	return all, nil
}

// admission verifies images in staging.
func (f *promoteRun) admission(ctx context.Context) (func(context.Context, name.Digest) (string, error), error) {
	if f.stagingPolicy == "" {
		return nil, nil
	}
	v, err := (&verifyFlags{policy: f.stagingPolicy}).verifier(ctx)
	if err != nil {
		return nil, err
	}
	puller, err := remote.NewPuller(registryOptions(ctx)...)
	if err != nil {
		return nil, err
	}
	o := sign.ImageOptions{Remote: append(registryOptions(ctx), remote.Reuse(puller))}
	return func(ctx context.Context, staged name.Digest) (string, error) {
		_, err := v.Image(ctx, staged, o)
		var refusal *sign.Refusal
		if errors.As(err, &refusal) {
			return "it does not verify in staging: " + strings.Join(refusal.Reasons, "; "), nil
		}
		return "", err
	}, nil
}

// vouching signs promoted images.
type vouching struct {
	signer sign.Signer
	o      sign.ImageOptions
}

// SignImage implements transfer.Signer.
func (v vouching) SignImage(ctx context.Context, image, _ name.Digest) error {
	_, err := sign.Image(ctx, v.signer, image, v.o)
	return err
}

// recording attests promotions.
type recording struct{ vouching }

// SignImage implements transfer.Signer.
func (r recording) SignImage(ctx context.Context, image, from name.Digest) error {
	p := provenance.Promotion{Source: from.String(), Destination: image.String(), Digest: artifact.Digest(image.DigestStr()), Time: time.Now(), Builder: "seaworthy/" + version}
	statement, err := p.Statement(image.Context().String())
	if err != nil {
		return err
	}
	_, err = sign.Attach(ctx, r.signer, image, statement, r.o)
	return err
}

func newPromoteAudit(s Streams) *cobra.Command {
	var registries registryFlags
	var manifests string
	var signatures bool
	var out outputFlag
	c := &cobra.Command{
		Use:   "audit",
		Short: "Say what is in production unexplained, moved or missing (exit code 3)",
		Long: `Looks at all that the destination registries hold and compares it with the manifests: repositories, tags and digests
that no manifest asks for, tags that point elsewhere, tags and digests that are missing, and with --signatures images
that nobody has signed. Nothing that earlier runs remember is trusted.

Which digests without tags there are is known of Google's registries alone, and not every registry tells which
repositories it has: those that do not are named.`,
		Example: `  seaworthy promote audit --manifests registry.k8s.io
  seaworthy promote audit --manifests registry.k8s.io --signatures -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			read, err := readManifests(cmd.Context(), manifests, "")
			if err != nil {
				return err
			}
			a, err := transfer.Look(cmd.Context(), read.now, transfer.AuditOptions{Registries: registries.open(), Signatures: signatures})
			if err != nil {
				return err
			}
			if err := out.print(s.Out, a, func(w io.Writer) error { return auditTable(w, a) }); err != nil {
				return err
			}
			return foundBy(a)
		},
	}
	c.Flags().StringVar(&manifests, "manifests", "", "`path` of a manifest or of a folder of thin ones")
	c.Flags().BoolVar(&signatures, "signatures", false, "look for a signature of every image as well")
	registries.add(c)
	out.add(c)
	require(c, "manifests")
	return c
}

func auditTable(w io.Writer, a transfer.Audit) error {
	var rows [][]string
	for _, f := range a.Findings {
		rows = append(rows, []string{string(f.Kind), f.Repository, f.Why})
	}
	if err := table(w, "All that is there is explained.", []string{"finding", "repository", "why"}, rows); err != nil {
		return err
	}
	if len(a.Unlisted) > 0 {
		fmt.Fprintf(w, "Not known whether there are more repositories than the manifests name: %s\n", strings.Join(a.Unlisted, ", "))
	}
	_, err := fmt.Fprintf(w, "%s, %s and %s looked at, %s.\n", count(a.Repositories, "repository", "repositories"), count(a.Tags, "tag", "tags"),
		count(a.Digests, "digest", "digests"), count(len(a.Findings), "finding", "findings"))
	return err
}

// foundBy is a failure where registries could not be asked, a no where they
// could and something is odd.
func foundBy(a transfer.Audit) error {
	unread := 0
	for _, f := range a.Findings {
		if f.Kind == transfer.NotRead {
			unread++
		}
	}
	switch {
	case unread > 0:
		return fmt.Errorf("%s could not be looked at", count(unread, "repository", "repositories"))
	case len(a.Findings) > 0:
		return verdictError{count(len(a.Findings), "finding.", "findings.")}
	}
	return nil
}
