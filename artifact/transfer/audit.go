package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
	"seaworthy/artifact/promote"
)

// Kind says what an audit found.
type Kind string

// Findings of an audit.
const (
	UnknownRepository Kind = "unknown-repository" // no manifest promotes to it
	UnknownTag        Kind = "unknown-tag"        // no manifest asks for it
	UnknownDigest     Kind = "unknown-digest"     // no manifest asks for it, nor is it part of what one asks for
	TagElsewhere      Kind = "tag-elsewhere"      // it points to another digest than the manifest says
	MissingTag        Kind = "missing-tag"
	MissingDigest     Kind = "missing-digest"
	NotSigned         Kind = "not-signed"
	NotRead           Kind = "not-read" // the registry could not be asked
)

// Finding is one thing in production that the manifests do not explain, or
// that they ask for and is not there.
type Finding struct {
	Kind       Kind            `json:"kind"`
	Repository string          `json:"repository"`
	Tag        string          `json:"tag,omitempty"`
	Digest     artifact.Digest `json:"digest,omitempty"` // found
	Wanted     artifact.Digest `json:"wanted,omitempty"`
	Why        string          `json:"why"` // a sentence for people
}

// AuditOptions are how an audit is made.
type AuditOptions struct {
	Registries *Registries
	// Signatures has it look for a signature of every digest as well.
	Signatures bool
	Parallel   int // repositories at once; 24 when zero
}

// Audit is what an audit found.
type Audit struct {
	Repositories int       `json:"repositories"`
	Digests      int       `json:"digests"` // looked at, of the manifests
	Tags         int       `json:"tags"`    // found
	Findings     []Finding `json:"findings"`
	// Unlisted are registries that do not tell which repositories they have:
	// whether there are more than the manifests name is not known.
	Unlisted []string `json:"unlisted,omitempty"`
	Requests int64    `json:"requests"`
}

// auditor makes one audit.
type auditor struct {
	o  AuditOptions
	mu sync.Mutex
	Audit
}

// Look compares what the destination registries hold with what the manifests
// ask for. Nothing an earlier run remembers is trusted.
func Look(ctx context.Context, manifests []promote.Manifest, o AuditOptions) (Audit, error) {
	if o.Parallel <= 0 {
		o.Parallel = 24
	}
	a := &auditor{o: o}
	a.Findings = []Finding{}
	asked := demand(manifests)
	var g errgroup.Group
	g.SetLimit(o.Parallel)
	for _, w := range asked {
		g.Go(func() error {
			if err := a.repository(ctx, w); err != nil {
				a.find(Finding{Kind: NotRead, Repository: w.repository, Why: err.Error()})
			}
			return ctx.Err()
		})
	}
	for _, registry := range destinations(manifests) {
		g.Go(func() error {
			if err := a.registry(ctx, registry, asked); err != nil {
				a.mu.Lock()
				a.Unlisted = append(a.Unlisted, registry)
				a.mu.Unlock()
			}
			return ctx.Err()
		})
	}
	err := g.Wait()
	slices.Sort(a.Unlisted)
	slices.SortFunc(a.Findings, func(x, y Finding) int {
		for _, c := range []int{compare(x.Repository, y.Repository), compare(string(x.Kind), string(y.Kind)), compare(x.Tag, y.Tag)} {
			if c != 0 {
				return c
			}
		}
		return compare(string(x.Digest), string(y.Digest))
	})
	a.Repositories = len(asked)
	a.Requests = o.Registries.Requests()
	return a.Audit, err
}

// destinations are the registries, host and path, that manifests promote to.
func destinations(manifests []promote.Manifest) []string {
	var all []string
	for _, m := range manifests {
		for _, d := range m.Destinations() {
			all = append(all, d.Name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (a *auditor) find(f Finding) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.Findings = append(a.Findings, f)
}

// registry looks for repositories that no manifest explains.
func (a *auditor) registry(ctx context.Context, registry string, asked []wanted) error {
	repo, err := a.o.Registries.Repository(registry + "/any")
	if err != nil {
		return err
	}
	prefix := strings.TrimSuffix(repo.RepositoryStr(), "any")
	host, _, _ := strings.Cut(registry, "/")
	names, err := a.o.Registries.host(repo.Registry).catalog(ctx)
	if err != nil {
		return err
	}
	for _, n := range names {
		repository := host + "/" + n
		if !strings.HasPrefix(n, prefix) {
			continue
		}
		if _, known := slices.BinarySearchFunc(asked, repository, func(w wanted, r string) int { return compare(w.repository, r) }); known {
			continue
		}
		if parsed, err := a.o.Registries.Repository(repository); err == nil {
			if list, err := a.o.Registries.repository(parsed).list(ctx); err == nil && len(list.tags) == 0 && len(list.digests) == 0 {
				continue // emptied: its name is all that is left
			}
		}
		a.find(Finding{Kind: UnknownRepository, Repository: repository, Why: "no manifest promotes to " + repository})
	}
	return nil
}

// repository looks at one that manifests promote to.
func (a *auditor) repository(ctx context.Context, w wanted) error {
	parsed, err := a.o.Registries.Repository(w.repository)
	if err != nil {
		return err
	}
	repo := a.o.Registries.repository(parsed)
	list, err := repo.list(ctx)
	if err != nil {
		return err
	}
	tags, digests := map[string]artifact.Digest{}, map[artifact.Digest]bool{}
	for _, e := range w.each() {
		digests[e.Digest] = true
		for _, t := range e.Tags {
			tags[t] = e.Digest
		}
	}
	a.mu.Lock()
	a.Digests += len(digests)
	a.Tags += len(list.tags)
	a.mu.Unlock()
	found, err := a.tags(ctx, repo, w.repository, list, tags)
	if err != nil {
		return err
	}
	if err := a.missing(ctx, repo, w, list, found); err != nil {
		return err
	}
	if err := a.unexplained(ctx, repo, w.repository, list, digests); err != nil {
		return err
	}
	if a.o.Signatures {
		return a.signatures(ctx, repo, w.repository, list, digests)
	}
	return nil
}

// tags looks at every tag that is there. It returns the digests they point to.
func (a *auditor) tags(ctx context.Context, repo *repository, repository string, list listing, want map[string]artifact.Digest) (map[artifact.Digest]bool, error) {
	found := map[artifact.Digest]bool{}
	for _, t := range sortedKeys(list.tags) {
		d := list.tags[t]
		wanted, asked := want[t]
		if !asked && companionOf(t) != "" {
			continue // looked at with the digests
		}
		if d == "" {
			var err error
			if d, err = repo.head(ctx, t); err != nil {
				return nil, err
			}
			if d == "" {
				continue // taken away meanwhile
			}
		}
		found[d] = true
		switch {
		case !asked:
			a.find(Finding{Kind: UnknownTag, Repository: repository, Tag: t, Digest: d, Why: fmt.Sprintf("no manifest asks for the tag %s, which points to %s", t, d)})
		case d != wanted:
			a.find(Finding{Kind: TagElsewhere, Repository: repository, Tag: t, Digest: d, Wanted: wanted, Why: fmt.Sprintf("the tag %s points to %s, the manifest says %s", t, d, wanted)})
		}
	}
	for _, t := range sortedKeys(want) {
		if _, there := list.tags[t]; !there {
			a.find(Finding{Kind: MissingTag, Repository: repository, Tag: t, Wanted: want[t], Why: fmt.Sprintf("the tag %s of %s is not there", t, want[t])})
		}
	}
	return found, nil
}

// missing looks for the digests that no tag led to.
func (a *auditor) missing(ctx context.Context, repo *repository, w wanted, list listing, found map[artifact.Digest]bool) error {
	looked := map[artifact.Digest]bool{}
	for _, e := range w.each() {
		if found[e.Digest] || list.digests[e.Digest] || looked[e.Digest] {
			continue
		}
		looked[e.Digest] = true
		if list.digests == nil && !list.absent {
			d, err := repo.head(ctx, string(e.Digest))
			if err != nil {
				return err
			}
			if d != "" {
				continue
			}
		}
		a.find(Finding{Kind: MissingDigest, Repository: w.repository, Wanted: e.Digest, Why: fmt.Sprintf("%s is not there", e.Digest)})
	}
	return nil
}

// companionOf returns the digest a companion's tag is made of, empty if the
// tag is none.
func companionOf(tag string) artifact.Digest {
	base := tag
	for _, suffix := range suffixes() {
		base = strings.TrimSuffix(base, suffix)
	}
	alg, sum, _ := strings.Cut(base, "-")
	d, err := artifact.ParseDigest(alg + ":" + sum)
	if err != nil {
		return ""
	}
	return d
}

// unexplained looks for digests, known by themselves or by their companions'
// tags, that are neither asked for nor part of what is.
func (a *auditor) unexplained(ctx context.Context, repo *repository, repository string, list listing, want map[artifact.Digest]bool) error {
	unknown := map[artifact.Digest]string{} // → the tag that told of it
	for d := range list.digests {
		unknown[d] = ""
	}
	for t := range list.tags {
		if d := companionOf(t); d != "" {
			unknown[d] = t
			delete(unknown, list.tags[t]) // the companion itself
		} else {
			delete(unknown, list.tags[t]) // told of with its tag
		}
	}
	for d := range want {
		delete(unknown, d)
	}
	window := windowOf(repo, list)
	// Only if something is left are the indexes read, to see what they name.
	for d := range want {
		if len(unknown) == 0 {
			return nil
		}
		if err := a.explain(ctx, window, d, unknown, 0); err != nil {
			return err
		}
	}
	for _, d := range sortedKeys(unknown) {
		why := fmt.Sprintf("no manifest asks for %s", d)
		if unknown[d] != "" {
			why = fmt.Sprintf("the tag %s belongs to %s, which no manifest asks for", unknown[d], d)
		}
		a.find(Finding{Kind: UnknownDigest, Repository: repository, Tag: unknown[d], Digest: d, Why: why})
	}
	return nil
}

// explain takes away what a digest names and what refers to it.
func (a *auditor) explain(ctx context.Context, w *shopWindow, d artifact.Digest, unknown map[artifact.Digest]string, depth int) error {
	delete(unknown, d)
	if depth > deepest {
		return nil
	}
	m, err := w.repo.manifest(ctx, string(d))
	if missing(err) {
		return nil // told of already
	}
	if err != nil {
		return err
	}
	referrers, err := referrersOf(ctx, w, d)
	if err != nil {
		return err
	}
	for _, r := range slices.Concat(m.children(), referrers) {
		if err := a.explain(ctx, w, r.Digest, unknown, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// signatures looks for one of each digest, in any of the ways there are.
func (a *auditor) signatures(ctx context.Context, repo *repository, repository string, list listing, want map[artifact.Digest]bool) error {
	for _, d := range sortedKeys(want) {
		if _, signed := list.tags[companionTag(d)+".sig"]; signed || list.absent {
			continue
		}
		referrers, err := referrersOf(ctx, windowOf(repo, list), d)
		if err != nil {
			return err
		}
		signed := false
		for _, r := range referrers {
			if signed, err = signature(ctx, repo, r); err != nil {
				return err
			}
			if signed {
				break
			}
		}
		if signed {
			continue
		}
		a.find(Finding{Kind: NotSigned, Repository: repository, Digest: d, Why: fmt.Sprintf("%s has no signature", d)})
	}
	return nil
}

// Predicates of bundles: a bundle is a signature if it says this, or nothing.
const (
	bundlePredicate    = "dev.sigstore.bundle.predicateType"
	signaturePredicate = "https://sigstore.dev/cosign/sign/v1"
)

// signature reports a referrer that vouches for an image as a whole, as cosign
// and notation attach it. Not every registry tells in its list what a referrer
// is; then the referrer is read.
func signature(ctx context.Context, repo *repository, d descriptor) (bool, error) {
	if d.ArtifactType == "" || d.ArtifactType == "application/vnd.oci.empty.v1+json" || d.Annotations == nil {
		m, err := repo.manifest(ctx, string(d.Digest))
		if missing(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		d.ArtifactType, d.Annotations = m.refs.ArtifactType, m.refs.Annotations
		if d.ArtifactType == "" && len(m.refs.Layers) > 0 {
			d.ArtifactType = m.refs.Layers[0].MediaType
		}
	}
	switch {
	case strings.HasPrefix(d.ArtifactType, "application/vnd.dev.sigstore.bundle"):
		says := d.Annotations[bundlePredicate]
		return says == "" || says == signaturePredicate, nil
	case d.ArtifactType == "application/vnd.dev.cosign.artifact.sig.v1+json", d.ArtifactType == "application/vnd.cncf.notary.signature":
		return true, nil
	}
	return false, nil
}

func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// catalog lists the repositories of a registry. Many registries keep that to
// themselves.
func (h *host) catalog(ctx context.Context) ([]string, error) {
	client, challenge, err := h.client(ctx, "registry:catalog:*")
	if err != nil {
		return nil, err
	}
	scheme := "https"
	if challenge.Insecure {
		scheme = "http"
	}
	next := scheme + "://" + h.reg.RegistryStr() + "/v2/_catalog?n=1000"
	var all []string
	for page := 0; next != "" && page < 100_000; page++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, next, nil)
		if err != nil {
			return nil, redacted(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, redacted(err)
		}
		if resp.StatusCode != http.StatusOK {
			return nil, failed(resp)
		}
		var body struct {
			Repositories []string `json:"repositories"`
		}
		err = json.NewDecoder(io.LimitReader(resp.Body, listLimit)).Decode(&body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return nil, fmt.Errorf("what came is no catalog: %w", err)
		}
		all = append(all, body.Repositories...)
		next = ""
		if link := resp.Header.Get("Link"); link != "" {
			if next, err = follow(resp.Request.URL, link); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}
