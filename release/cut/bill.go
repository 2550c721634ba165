package cut

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"seaworthy/artifact"
	"seaworthy/artifact/sbom"
	"seaworthy/artifact/scan"
	"seaworthy/flow"
)

// billFile is the bill of materials of a release, in SPDX.
func billFile(p Plan) string {
	return p.Project.Name + "_" + strings.TrimPrefix(p.Version().Number(), "v") + ".spdx.json"
}

// writeBill lists what the release consists of: the source with its files,
// licences and modules, and every archive and package with its digests, made
// from that source.
func (s *Service) writeBill(ctx context.Context, in product) ([]artifact.Artifact, error) {
	p := in.Plan
	maker := sbom.Actor{Kind: sbom.Organization, Name: p.Repo.Owner}
	d, err := scan.Folder(ctx, s.checkoutDir(ctx), scan.Options{Name: p.Project.Name, Version: p.Version().Number(), Supplier: maker,
		Download: "git+" + p.Source + "@" + p.Commit, Created: p.CommitTime, ModuleCache: s.BuildCache["GOMODCACHE"]})
	if err != nil {
		return nil, flow.Permanent(fmt.Errorf("looking through the source: %w", err))
	}
	d.Name = p.Project.Name + " " + p.Version().String()
	// The time of the commit, so that the same commit gives the same bill.
	d.Created = p.CommitTime
	d.Authors = []sbom.Actor{maker, {Kind: sbom.Tool, Name: strings.TrimSuffix("seaworthy-"+s.Version, "-")}}
	source := d.Described()
	if len(source) != 1 {
		return nil, flow.Permanent(fmt.Errorf("the source is %d packages in the bill of materials, not one", len(source)))
	}
	root := d.Packages[slices.IndexFunc(d.Packages, func(q sbom.Package) bool { return q.ID == source[0] })]
	for _, a := range in.Artifacts {
		made := d.Add(sbom.Package{ID: sbom.PackageID("", a.Name, p.Version().Number()), Name: a.Name, Version: p.Version().Number(), FileName: a.Name,
			Purpose: purposeOf(a.Kind), Supplier: maker, Declared: root.Declared, Concluded: root.Concluded, Copyright: root.Copyright,
			Download:  s.downloadOf(p, a.Name),
			Checksums: []sbom.Checksum{{Algorithm: sbom.SHA256, Value: a.SHA256}, {Algorithm: sbom.SHA512, Value: a.SHA512}}})
		d.Relate(sbom.DocumentID, sbom.Describes, made)
		d.Relate(made, sbom.GeneratedFrom, source[0])
	}
	if err := d.Normalize(); err != nil {
		return nil, flow.Permanent(fmt.Errorf("the bill of materials: %w", err))
	}
	var text bytes.Buffer
	if err := sbom.Write(&text, d, sbom.SPDXJSON); err != nil {
		return nil, flow.Permanent(fmt.Errorf("writing the bill of materials: %w", err))
	}
	a, err := s.writePaper(ctx, billFile(p), artifact.Bill, text.Bytes())
	if err != nil {
		return nil, err
	}
	flow.Progress(ctx, "%s, %s", count(len(d.Packages), "package", "packages"), fileCount(len(d.Files)))
	return append(in.Artifacts, a), nil
}

// downloadOf is where a file of the release will be.
func (s *Service) downloadOf(p Plan, file string) string {
	if s.DownloadURL == nil {
		return ""
	}
	return s.DownloadURL(p.Repo, p.Version().String()) + "/" + file
}

func purposeOf(k artifact.Kind) sbom.Purpose {
	switch k {
	case artifact.Source:
		return sbom.SourceCode
	case artifact.Package:
		return sbom.Install
	case artifact.Binary:
		return sbom.Application
	}
	return sbom.ArchiveFile
}
