package cut

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"seaworthy/artifact"
	"seaworthy/artifact/build"
	"seaworthy/artifact/packages"
	"seaworthy/flow"
)

// programs are the folders that hold what was built, by platform.
type programs map[artifact.Platform]string

// unpackPrograms unpacks one archive of each platform into a folder. Packages and images are
// made of those very bytes, not of a second build.
func (s *Service) unpackPrograms(ctx context.Context, in product, root string) (programs, error) {
	if err := os.RemoveAll(root); err != nil {
		return nil, fmt.Errorf("clearing the folder for programs: %w", err)
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder for programs: %w", err)
	}
	found := programs{}
	for _, a := range in.Artifacts {
		if _, have := found[a.Platform]; have || a.Kind != artifact.Archive {
			continue
		}
		dir := filepath.Join(root, a.Name)
		if err := build.Extract(filepath.Join(s.outputDir(ctx), a.Name), dir, build.Limits{}); err != nil {
			return nil, flow.Permanent(fmt.Errorf("unpacking %s: %w", a.Name, err))
		}
		inner, err := onlyFolder(dir)
		if err != nil {
			return nil, flow.Permanent(fmt.Errorf("unpacking %s: %w", a.Name, err))
		}
		found[a.Platform] = inner
	}
	return found, nil
}

// onlyFolder returns the one folder that an archive holds.
func onlyFolder(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(entries) != 1 || !entries[0].IsDir() {
		return "", fmt.Errorf("it holds %d entries, not one folder", len(entries))
	}
	return filepath.Join(dir, entries[0].Name()), nil
}

// makePackages makes the deb, rpm and apk packages.
func (s *Service) makePackages(ctx context.Context, in product) (made []artifact.Artifact, err error) {
	specs := in.Plan.Project.Packages
	if len(specs) == 0 {
		return []artifact.Artifact{}, flow.Skip("the project has no packages")
	}
	dir := filepath.Join(s.runDir(ctx), "packages-of")
	unpacked, err := s.unpackPrograms(ctx, in, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, spec := range specs {
		built, err := packages.Build(ctx, packages.Request{Spec: spec, Version: in.Plan.Version().String(), Time: in.Plan.CommitTime,
			Source: s.checkoutDir(ctx), Programs: unpacked, OutDir: s.outputDir(ctx), Signers: s.Packagers,
		}, func(name string) { flow.Logf(ctx, "%s", name) })
		if err != nil {
			return nil, flow.Permanent(fmt.Errorf("packaging %s: %w", spec.Name, err))
		}
		made = append(made, built...)
	}
	artifact.Sort(made)
	flow.Progress(ctx, "%s", count(len(made), "package", "packages"))
	return made, nil
}
