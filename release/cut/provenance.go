package cut

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"

	"seaworthy/artifact"
	"seaworthy/artifact/provenance"
	"seaworthy/artifact/sign"
	"seaworthy/flow"
)

// provenanceFile says how everything in a release was made; with signatureEnd
// it is the same statement, signed.
const (
	provenanceFile = "provenance.json"
	signatureEnd   = ".sigstore.json"
)

// sources are what a statement is made of.
type sources struct {
	Plan   Plan                `json:"plan"`
	Files  []artifact.Artifact `json:"files"`
	Images []Image             `json:"images"`
}

// subjects are what the statement is about: the published files but for the
// notes, which are about the release and not made from the source, and the
// images.
func (s *Service) subjects(files []artifact.Artifact, images []Image) []provenance.Resource {
	var made []artifact.Artifact
	for _, f := range files {
		if !private(f.Name) && f.Kind != artifact.Notes && f.Kind != artifact.Statement && f.Kind != artifact.Signature {
			made = append(made, f)
		}
	}
	list := provenance.Subjects(made...)
	for _, i := range images {
		list = append(list, provenance.Image(i.Public, i.Digest))
	}
	return list
}

// writeProvenance states how the files and images were made, and from what.
func (s *Service) writeProvenance(ctx context.Context, in sources) ([]artifact.Artifact, error) {
	p := in.Plan
	run := flow.Current(ctx)
	b := provenance.Build{
		Definition: provenance.Definition{
			BuildType: provenance.BuildType,
			External: map[string]any{
				"repository": p.Source, "branch": p.Branch, "commit": p.Commit, "kind": string(p.Kind), "version": p.Version().String(),
			},
			Internal:     map[string]any{"build": p.Project.Build, "buildVersion": p.BuildVersion, "images": p.Project.Images, "packages": p.Project.Packages},
			Dependencies: []provenance.Resource{provenance.Source(p.Source, "refs/heads/"+p.Branch, p.Commit)},
		},
		Run: provenance.RunDetails{
			Builder:  provenance.Builder{ID: s.Builder, Version: map[string]string{"seaworthy": s.Version}},
			Metadata: provenance.Metadata{InvocationID: run.ID, Started: run.CreatedAt},
		},
	}
	for _, i := range in.Images {
		for _, base := range i.Bases {
			b.Definition.Dependencies = append(b.Definition.Dependencies, provenance.Image(base.Reference, base.Digest))
		}
	}
	statement, err := b.Statement(s.subjects(in.Files, in.Images))
	if err != nil {
		return nil, flow.Permanent(err)
	}
	text, err := statement.Encode()
	if err != nil {
		return nil, flow.Permanent(err)
	}
	a, err := s.writePaper(ctx, provenanceFile, artifact.Statement, text)
	if err != nil {
		return nil, err
	}
	flow.Progress(ctx, "%s, %s", count(len(statement.Subjects), "subject", "subjects"), count(len(b.Definition.Dependencies), "dependency", "dependencies"))
	return append(in.Files, a), nil
}

// signFiles signs what vouches for the rest: the checksums, the bill of
// materials, and the statement of how it all was made.
func (s *Service) signFiles(ctx context.Context, in product) ([]artifact.Artifact, error) {
	if s.Signer == nil {
		return in.Artifacts, flow.Skip("nothing is signed: there is no key")
	}
	files := in.Artifacts
	for _, a := range in.Artifacts {
		if a.Kind != artifact.Checksums && a.Kind != artifact.Bill && a.Kind != artifact.Statement {
			continue
		}
		signed, err := s.signFile(ctx, a)
		if err != nil {
			return nil, fmt.Errorf("signing %s: %w", a.Name, err)
		}
		files = append(files, signed)
	}
	who, err := s.Signer.Identity(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking who signs: %w", err)
	}
	artifact.Sort(files)
	flow.Progress(ctx, "%s by %s", count(len(files)-len(in.Artifacts), "signature", "signatures"), who)
	return files, nil
}

func (s *Service) signFile(ctx context.Context, a artifact.Artifact) (artifact.Artifact, error) {
	text, err := s.readOutput(ctx, a)
	if err != nil {
		return artifact.Artifact{}, err
	}
	var bundle sign.Bundle
	if a.Kind == artifact.Statement {
		bundle, err = s.Signer.SignEnvelope(ctx, provenance.PayloadType, text)
	} else {
		bundle, err = s.Signer.SignBlob(ctx, bytes.NewReader(text))
	}
	if err != nil {
		return artifact.Artifact{}, err
	}
	encoded, err := bundle.Encode()
	if err != nil {
		return artifact.Artifact{}, err
	}
	return s.writePaper(ctx, a.Name+signatureEnd, artifact.Signature, encoded)
}

// vouched is what the provenance of a stage says.
type vouched struct {
	Builder  string `json:"builder"`
	Subjects int    `json:"subjects"`
	Signed   bool   `json:"signed"`
}

// checkProvenance holds the statement of the stage against what is about to be
// published: signed by us, about every file and image, with these digests and
// no others, made from this commit by this builder. Nothing is cut otherwise.
func (s *Service) checkProvenance(ctx context.Context, st staged) (vouched, error) {
	statement, err := s.statement(ctx, st)
	if err != nil {
		return vouched{}, err
	}
	plan := st.Record.Plan
	want := provenance.Expectation{Subjects: s.subjects(st.Manifest.Artifacts, st.Record.Images), Commit: plan.Commit,
		Repository: st.Record.Source, BuildTypes: []string{provenance.BuildType}, Builders: []string{s.Builder}}
	if err := provenance.Check(statement, want); err != nil {
		return vouched{}, flow.Permanent(fmt.Errorf("the provenance of %s does not hold, stage anew: %w", plan.BuildVersion, err))
	}
	v := vouched{Builder: s.Builder, Subjects: len(statement.Subjects), Signed: s.Signer != nil}
	flow.Progress(ctx, "%s from %s", count(v.Subjects, "subject", "subjects"), short(plan.Commit))
	return v, nil
}

// statement reads the stage's statement of how it was made. Where releases are
// signed it is the signed one, and the signature must be ours.
func (s *Service) statement(ctx context.Context, st staged) (provenance.Statement, error) {
	text, err := s.readStaged(ctx, st, provenanceFile)
	if err != nil {
		return provenance.Statement{}, err
	}
	statement, err := provenance.Read(text)
	if err != nil {
		return statement, flow.Permanent(fmt.Errorf("reading %s: %w", path.Join(st.Prefix, provenanceFile), err))
	}
	if s.Verifier == nil {
		return statement, nil
	}
	signed, err := s.readStaged(ctx, st, provenanceFile+signatureEnd)
	if err != nil {
		return statement, err
	}
	bundle, err := sign.ParseBundle(signed)
	if err != nil {
		return statement, flow.Permanent(fmt.Errorf("reading the signed provenance: %w", err))
	}
	vouched, _, err := s.Verifier.Statement(ctx, provenanceFile, bundle)
	if err != nil {
		return statement, flow.Permanent(fmt.Errorf("the provenance of %s: %w", st.Record.Plan.BuildVersion, err))
	}
	have, err := vouched.Encode()
	if err == nil && !bytes.Equal(have, text) {
		err = errors.New("the signed statement is another than the one beside it")
	}
	if err != nil {
		return statement, flow.Permanent(fmt.Errorf("the provenance of %s: %w", st.Record.Plan.BuildVersion, err))
	}
	return vouched, nil
}
