package sign

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"seaworthy/artifact"
	"seaworthy/artifact/provenance"
)

// ImageOptions say how an image is signed.
type ImageOptions struct {
	// Remote are options of the registry's client: credentials, transport. With
	// remote.Reuse, many images are signed in one session.
	Remote []remote.Option
	// Recursive signs every image of an index too.
	Recursive bool
	// Tags writes cosign's tags as well, for clients older than OCI 1.1.
	Tags bool
	// Annotations are claims about the image that are signed with it.
	Annotations map[string]string
	// Reference is the name the image is published under, which the signature in
	// a tag holds; the repository's own if empty.
	Reference string
	// Mock only says what would be written: nothing is signed.
	Mock bool
	// Created is written to the referrer, unless it is zero.
	Created time.Time
	// Trust recognizes signatures with certificates that are there already. A key
	// recognizes its own without it; without it a certificate's are made anew.
	Trust Trust
}

// Written is one signature or attestation of an image, where it is, or with Mock
// would be, and whether it was there already.
type Written struct {
	Image   string `json:"image"` // repository@digest
	Where   string `json:"where"`
	Present bool   `json:"present"`
}

// Image signs an image or index by its digest. What the same signer has signed
// already is left alone.
func Image(ctx context.Context, s Signer, d name.Digest, o ImageOptions) ([]Written, error) {
	return attach(ctx, s, d, o, func(image name.Digest) (provenance.Statement, error) {
		digest := artifact.Digest(image.DigestStr())
		subject := provenance.Resource{Digest: map[string]string{string(digest.Algorithm()): digest.Hex()}}
		if len(o.Annotations) > 0 {
			subject.Annotations = map[string]any{}
			for k, v := range o.Annotations {
				subject.Annotations[k] = v
			}
		}
		return provenance.New([]provenance.Resource{subject}, signaturePredicate, json.RawMessage("{}"))
	})
}

// Attach signs a statement about an image and attaches it. The image must be one
// of the statement's subjects. With Recursive, statements are still about the
// image that is named.
func Attach(ctx context.Context, s Signer, d name.Digest, statement provenance.Statement, o ImageOptions) ([]Written, error) {
	if !statement.Covers(artifact.Digest(d.DigestStr())) {
		return nil, fmt.Errorf("the statement is not about %s: none of its subjects has that digest", d.DigestStr())
	}
	o.Recursive = false
	return attach(ctx, s, d, o, func(name.Digest) (provenance.Statement, error) { return statement, nil })
}

func attach(ctx context.Context, s Signer, d name.Digest, o ImageOptions, statement func(name.Digest) (provenance.Statement, error)) ([]Written, error) {
	r, err := newSession(o.Remote)
	if err != nil {
		return nil, err
	}
	images := []name.Digest{d}
	if o.Recursive {
		if images, err = r.family(ctx, d, map[string]bool{}); err != nil {
			return nil, err
		}
	}
	var all []Written
	for _, image := range images {
		st, err := statement(image)
		if err != nil {
			return all, err
		}
		a := attachment{signer: s, session: r, image: image, statement: st, options: o}
		written, err := a.write(ctx)
		all = append(all, written...)
		if err != nil {
			return all, fmt.Errorf("signing %s: %w", image, err)
		}
	}
	return all, nil
}

// attachment is one statement to be attached to one image.
type attachment struct {
	signer    Signer
	session   registrySession
	image     name.Digest
	statement provenance.Statement
	options   ImageOptions
}

func (a attachment) write(ctx context.Context) ([]Written, error) {
	_, subject, err := a.session.resolve(ctx, a.image)
	if err != nil {
		return nil, err
	}
	have, _, err := a.session.signatures(ctx, a.image)
	if err != nil {
		return nil, err
	}
	mine, err := a.recognizer(ctx)
	if err != nil {
		return nil, err
	}
	var bundle *Bundle // made once, when it is needed
	var all []Written
	where, present := mine(have, func(f found) bool { return strings.HasPrefix(f.where, "referrer") })
	if !present && a.options.Mock {
		where = "referrer"
	} else if !present {
		b, err := Attest(ctx, a.signer, a.statement)
		if err != nil {
			return nil, err
		}
		bundle = &b
		if where, err = a.referrer(ctx, b, subject); err != nil {
			return nil, err
		}
	}
	all = append(all, Written{a.image.String(), where, present})
	if !a.options.Tags {
		return all, nil
	}
	where, present = mine(have, func(f found) bool { return strings.HasPrefix(f.where, "tag") })
	if !present && a.options.Mock {
		where = "tag " + a.tagName()
	} else if !present {
		if where, err = a.tag(ctx, bundle); err != nil {
			return all, err
		}
	}
	return append(all, Written{a.image.String(), where, present}), nil
}

// recognizer returns what finds, among signatures that are there, one by the
// same signer of the same thing.
func (a attachment) recognizer(ctx context.Context) (func([]found, func(found) bool) (string, bool), error) {
	who, err := a.signer.Identity(ctx)
	if err != nil {
		return nil, err
	}
	none := func([]found, func(found) bool) (string, bool) { return "", false }
	policy := Policy{TransparencyLog: "optional", trust: a.options.Trust}
	switch k, ok := a.signer.(*KeySigner); {
	case ok:
		policy.Signers = []SignerRule{KeyRule("", k.key.Public())}
	case a.options.Trust == nil:
		return none, nil
	default:
		policy.Signers = []SignerRule{{Identity: who.Name, Issuer: who.Issuer}}
	}
	v, err := NewVerifier(policy, time.Now)
	if err != nil {
		return nil, err
	}
	wanted, err := a.statement.Encode()
	if err != nil {
		return nil, err
	}
	return func(list []found, eligible func(found) bool) (string, bool) {
		for _, f := range list {
			if !eligible(f) || !a.same(f, wanted) {
				continue
			}
			s, err := imageSums(v, f.Bundle, a.image.DigestStr())
			if err != nil {
				continue
			}
			if _, err := v.check(f.Bundle, s); err == nil {
				return f.where, true
			}
		}
		return "", false
	}, nil
}

// same reports whether a signature says what this one would.
func (a attachment) same(f found, wanted []byte) bool {
	if f.payload != nil {
		return a.statement.PredicateType == signaturePredicate && string(f.payload) == string(a.payload())
	}
	st, ok, err := f.Statement()
	if !ok || err != nil || st.PredicateType != a.statement.PredicateType {
		return false
	}
	st.Type = provenance.StatementV1
	have, err := st.Encode()
	return err == nil && string(have) == string(wanted)
}

// payload is what a signature in a tag is over.
func (a attachment) payload() []byte {
	var p simpleSigning
	p.Critical.Identity.Reference = a.options.Reference
	if p.Critical.Identity.Reference == "" {
		p.Critical.Identity.Reference = a.image.Context().Name()
	}
	p.Critical.Image.Digest = a.image.DigestStr()
	p.Critical.Type = simpleSigningKind
	p.Optional = a.options.Annotations
	text, err := json.Marshal(p)
	if err != nil {
		return nil // strings always encode
	}
	return text
}

// referrer writes a bundle as OCI 1.1 has it. A registry without the interface
// gets the fallback tag, kept by the client.
func (a attachment) referrer(ctx context.Context, b Bundle, subject v1.Descriptor) (string, error) {
	text, err := b.Encode()
	if err != nil {
		return "", err
	}
	repo := a.image.Context()
	m := artifactManifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: BundleType,
		Subject:     v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
		Annotations: map[string]string{bundleContentNote: "dsse-envelope", bundlePredicateNote: a.statement.PredicateType},
	}
	if t := a.options.Created; !t.IsZero() {
		m.Annotations[createdNote] = t.UTC().Format(time.RFC3339)
	}
	for _, part := range []struct {
		layer v1.Layer
		to    func(v1.Descriptor)
	}{
		{static.NewLayer([]byte("{}"), emptyConfigType), func(d v1.Descriptor) { m.Config = d }},
		{static.NewLayer(text, BundleType), func(d v1.Descriptor) { m.Layers = []v1.Descriptor{d} }},
	} {
		d, err := describe(part.layer)
		if err != nil {
			return "", err
		}
		part.to(d)
		if err := a.session.push.Upload(ctx, repo, part.layer); err != nil {
			return "", fmt.Errorf("uploading the bundle: %w", err)
		}
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("writing the manifest: %w", err)
	}
	digest, _, err := v1.SHA256(strings.NewReader(string(raw)))
	if err != nil {
		return "", err
	}
	if err := a.session.push.Put(ctx, repo.Digest(digest.String()), rawManifest(raw)); err != nil {
		return "", fmt.Errorf("uploading the manifest: %w", err)
	}
	return "referrer " + digest.String(), nil
}

func describe(l v1.Layer) (v1.Descriptor, error) {
	digest, err := l.Digest()
	if err != nil {
		return v1.Descriptor{}, err
	}
	size, err := l.Size()
	if err != nil {
		return v1.Descriptor{}, err
	}
	kind, err := l.MediaType()
	return v1.Descriptor{MediaType: kind, Digest: digest, Size: size}, err
}

// tag adds a signature to cosign's tag for the image, keeping those of others.
func (a attachment) tag(ctx context.Context, bundle *Bundle) (string, error) {
	layer, notes, err := a.tagLayer(ctx, bundle)
	if err != nil {
		return "", err
	}
	tag := a.image.Context().Tag(a.tagName())
	start := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	got, err := a.session.pull.Get(ctx, tag)
	if err == nil {
		if start, err = got.Image(); err != nil {
			return "", fmt.Errorf("reading %s: %w", tag, err)
		}
	} else if !absent(err) {
		return "", fmt.Errorf("reading %s: %w", tag, err)
	}
	image, err := mutate.Append(start, mutate.Addendum{Layer: layer, Annotations: notes})
	if err != nil {
		return "", fmt.Errorf("adding to %s: %w", tag, err)
	}
	if err := a.session.push.Push(ctx, tag, image); err != nil {
		return "", fmt.Errorf("uploading %s: %w", tag, err)
	}
	return "tag " + tag.TagStr(), nil
}

// tagName is where cosign looks for signatures, and for attestations.
func (a attachment) tagName() string {
	suffix := ".att"
	if a.statement.PredicateType == signaturePredicate {
		suffix = ".sig"
	}
	return strings.Replace(a.image.DigestStr(), ":", "-", 1) + suffix
}

// tagLayer is what goes into the tag: the payload beside its signature, or the
// signed envelope of an attestation.
func (a attachment) tagLayer(ctx context.Context, bundle *Bundle) (v1.Layer, map[string]string, error) {
	notes := map[string]string{}
	if a.statement.PredicateType == signaturePredicate {
		payload := a.payload()
		b, err := a.signer.SignBlob(ctx, strings.NewReader(string(payload)))
		if err != nil {
			return nil, nil, err
		}
		notes[signatureNote] = base64.StdEncoding.EncodeToString(b.Signature())
		return static.NewLayer(payload, simpleSigningType), notes, witnesses(b, notes)
	}
	if bundle == nil {
		b, err := Attest(ctx, a.signer, a.statement)
		if err != nil {
			return nil, nil, err
		}
		bundle = &b
	}
	text, _, err := bundle.Envelope()
	if err != nil {
		return nil, nil, err
	}
	notes[signatureNote], notes[predicateNote] = "", a.statement.PredicateType
	return static.NewLayer(text, envelopeType), notes, witnesses(*bundle, notes)
}

// witnesses writes certificate, log entry and time stamp as annotations.
func witnesses(b Bundle, notes map[string]string) error {
	c, err := b.Certificate()
	if err != nil {
		return err
	}
	if c != nil {
		notes[certificateNote] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	record, ok, err := recordOf(b)
	if err != nil {
		return err
	}
	if ok {
		notes[recordNote] = string(record)
	}
	if stamps := b.proto.GetVerificationMaterial().GetTimestampVerificationData().GetRfc3161Timestamps(); len(stamps) > 0 {
		text, err := json.Marshal(struct{ SignedRFC3161Timestamp []byte }{stamps[0].GetSignedTimestamp()})
		if err != nil {
			return err
		}
		notes[timestampNote] = string(text)
	}
	return nil
}
