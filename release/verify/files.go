package verify

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"seaworthy/artifact"
	"seaworthy/artifact/provenance"
	"seaworthy/artifact/sbom"
	"seaworthy/artifact/sign"
)

// Names of the files that vouch for others.
const (
	signatureEnd   = ".sigstore.json"
	provenanceFile = "provenance.json"
)

// kept reports a file that is read whole, because others are checked by it.
func kept(name string) bool {
	_, sums := algorithmOf(name)
	return sums || strings.HasSuffix(name, signatureEnd) || name == provenanceFile || isBill(name)
}

// algorithmOf returns the algorithm of a checksum file.
func algorithmOf(name string) (artifact.Algorithm, bool) {
	for _, a := range []artifact.Algorithm{artifact.SHA256, artifact.SHA512} {
		if name == a.File() {
			return a, true
		}
	}
	return "", false
}

func isBill(name string) bool {
	_, known := sbom.FormatOf(name)
	return known && !strings.HasSuffix(name, signatureEnd)
}

// names lists the downloaded files, sorted.
func (in *inspection) names() []string { return slices.Sorted(maps.Keys(in.files)) }

// vouching files are signed themselves, and cannot be in the checksums that they
// sign or state.
func vouching(name string) bool {
	_, sums := algorithmOf(name)
	return sums || strings.HasSuffix(name, signatureEnd) || name == provenanceFile
}

// checksums holds every file against every list: listed with its sum, and
// nothing listed that is not there.
func (in *inspection) checksums(context.Context) error {
	lists := 0
	for _, name := range in.names() {
		alg, ok := algorithmOf(name)
		if !ok {
			continue
		}
		lists++
		sums, err := artifact.ParseChecksums(alg, in.files[name].content)
		if err != nil {
			in.say(name, Failed, "%v", err)
			continue
		}
		var wrong []string
		for _, s := range sums {
			f, there := in.files[s.Name]
			switch {
			case !there:
				wrong = append(wrong, s.Name+" is listed and is not on the page")
			case f.Sum(alg) != s.Hex:
				wrong = append(wrong, fmt.Sprintf("%s downloads as %s, listed is %s", s.Name, f.Sum(alg), s.Hex))
			}
		}
		for _, other := range in.names() {
			if !vouching(other) && !slices.ContainsFunc(sums, func(s artifact.Sum) bool { return s.Name == other }) {
				wrong = append(wrong, other+" is on the page and is not listed")
			}
		}
		in.judge(name, wrong, "%s", count(len(sums), "file matches", "files match"))
	}
	if lists == 0 {
		in.say("checksums", Failed, "there is neither a SHA256SUMS nor a SHA512SUMS")
	}
	return nil
}

// signatures verifies every signature of a file. The statement's is for
// provenance.
func (in *inspection) signatures(ctx context.Context) error {
	found := 0
	for _, name := range in.names() {
		signed, ok := strings.CutSuffix(name, signatureEnd)
		if !ok || signed == provenanceFile {
			continue
		}
		found++
		f, there := in.files[signed]
		if !there {
			in.say(name, Failed, "it signs %s, which is not on the page", signed)
			continue
		}
		if in.Verifier == nil {
			in.say(name, Skipped, "no key is given to verify it with")
			continue
		}
		bundle, err := sign.ParseBundle(in.files[name].content)
		if err != nil {
			in.say(name, Failed, "%v", err)
			continue
		}
		v, err := in.Verifier.Blob(ctx, signed, bytes.NewReader(f.content), bundle)
		if err != nil {
			in.say(name, Failed, "%v", err)
			continue
		}
		in.say(name, Passed, "signed by %s", signers(v.Signatures))
	}
	if found == 0 {
		in.say("signatures", Failed, "nothing is signed")
	}
	return nil
}

func signers(list []sign.Evidence) string {
	var who []string
	for _, e := range list {
		switch {
		case e.Name != "":
			who = append(who, e.Name)
		default:
			who = append(who, e.Key)
		}
	}
	return strings.Join(who, ", ")
}

// provenance wants a statement that is signed, about every file, and from the
// commit that is tagged.
func (in *inspection) provenance(ctx context.Context) error {
	plain, there := in.files[provenanceFile]
	signed, both := in.files[provenanceFile+signatureEnd]
	if !there && !both {
		in.say("provenance", Failed, "nothing says how the files were made")
		return nil
	}
	statement, who, err := in.statement(ctx, plain, signed, both)
	if err != nil {
		in.say("provenance", Failed, "%v", err)
		return nil
	}
	want := provenance.Expectation{Commit: in.report.Commit, Others: true}
	for _, name := range in.names() {
		if _, sums := algorithmOf(name); sums || !vouching(name) {
			want.Subjects = append(want.Subjects, provenance.Subjects(in.files[name].Artifact)...)
		}
	}
	if err := provenance.Check(statement, want); err != nil {
		in.say("provenance", Failed, "%v", err)
		return nil
	}
	b, err := statement.Build()
	if err != nil {
		in.say("provenance", Failed, "%v", err)
		return nil
	}
	in.say("provenance", Passed, "%s built from %s by %s, %s", count(len(statement.Subjects), "subject", "subjects"), in.report.Commit, b.Run.Builder.ID, who)
	return nil
}

func (in *inspection) statement(ctx context.Context, plain, signed file, isSigned bool) (provenance.Statement, string, error) {
	if !isSigned || in.Verifier == nil {
		content := plain.content
		if content == nil {
			return provenance.Statement{}, "", fmt.Errorf("%s is signed, and no key is given to verify it with", provenanceFile)
		}
		s, err := provenance.Read(content)
		if in.Verifier != nil && err == nil {
			err = fmt.Errorf("%s is not signed", provenanceFile)
		}
		return s, "nobody's signature was checked", err
	}
	bundle, err := sign.ParseBundle(signed.content)
	if err != nil {
		return provenance.Statement{}, "", err
	}
	s, e, err := in.Verifier.Statement(ctx, provenanceFile, bundle)
	if err != nil {
		return s, "", err
	}
	return s, "signed by " + signers([]sign.Evidence{e}), nil
}

// bill wants each bill of materials to be complete and to name the files with
// the sums they have.
func (in *inspection) bill(context.Context) error {
	found := 0
	for _, name := range in.names() {
		if !isBill(name) || name == provenanceFile {
			continue
		}
		found++
		r, err := sbom.Parse(in.files[name].content)
		if err != nil {
			in.say(name, Failed, "%v", err)
			continue
		}
		var wrong []string
		for _, f := range sbom.Validate(r.Document) {
			wrong = append(wrong, fmt.Sprintf("%s: %s", f.Where, f.Text))
		}
		named := 0
		for _, p := range r.Document.Packages {
			f, there := in.files[p.FileName]
			if !there || p.FileName == "" {
				continue
			}
			named++
			if have := sbom.Sum(p.Checksums, sbom.SHA256); have != f.SHA256 {
				wrong = append(wrong, fmt.Sprintf("%s has the sha256 %s in it, and downloads as %s", p.FileName, have, f.SHA256))
			}
		}
		if len(wrong) > 5 {
			wrong = append(wrong[:5], fmt.Sprintf("and %d more", len(wrong)-5))
		}
		in.judge(name, wrong, "complete: %s, %d of them files of this release", count(len(r.Document.Packages), "package", "packages"), named)
	}
	if found == 0 {
		in.say("sbom", Skipped, "there is no bill of materials")
	}
	return nil
}
