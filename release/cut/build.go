package cut

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"seaworthy/artifact"
	"seaworthy/artifact/build"
	"seaworthy/flow"
)

// product is a plan and what was made for it.
type product struct {
	Plan      Plan                `json:"plan"`
	Artifacts []artifact.Artifact `json:"artifacts"`
}

// buildArchives builds every platform, and packs the source where wanted.
func (s *Service) buildArchives(ctx context.Context, in site) ([]artifact.Artifact, error) {
	request := s.buildRequest(ctx, in.Plan)
	if _, err := os.Stat(request.Source); errors.Is(err, os.ErrNotExist) {
		return nil, flow.Permanent(fmt.Errorf("the workspace is gone: resume the run, which makes it again: %w", err))
	}
	// What an attempt that was interrupted left behind is made again.
	if err := clearFolder(request.OutDir); err != nil {
		return nil, err
	}
	var built []artifact.Artifact
	var err error
	if in.Plan.Project.Build.programs() {
		built, err = build.Build(ctx, request, func(p build.Progress) {
			flow.Progress(ctx, "%d of %d platforms", p.Finished, p.Total)
			if p.Stage != build.Packing {
				flow.Logf(ctx, "%s %s", p.Platform, p.Stage)
			}
		})
	}
	if err != nil {
		// The same source does not build the second time either.
		return nil, flow.Permanent(err)
	}
	if in.Plan.Project.Build.Source {
		repo, err := s.workspace(ctx)
		if err != nil {
			return nil, err
		}
		src, err := build.Source(ctx, repo, request)
		if err != nil {
			return nil, err
		}
		built = append(built, src)
	}
	artifact.Sort(built)
	return built, nil
}

func (s *Service) buildRequest(ctx context.Context, p Plan) build.Request {
	b := p.Project.Build
	return build.Request{Source: s.checkoutDir(ctx), Name: p.Project.Name, Version: p.Version().String(), Commit: p.Commit,
		CommitTime: p.CommitTime, Platforms: b.Platforms, Main: b.Main, LDFlags: b.LDFlags, Command: b.Command, Env: b.Env,
		Files: b.Files, Formats: b.Formats, Parallel: b.Parallel, Cache: s.BuildCache, OutDir: s.outputDir(ctx)}
}

// verification is what verifyBuilt found.
type verification struct {
	Archives int `json:"archives"`
	Programs int `json:"programs"`
	// GoVersion of the programs, "1.26.8"; empty if none is Go's.
	GoVersion string `json:"go_version,omitempty"`
}

// verifyBuilt unpacks every archive and compares each program with the platform
// its archive is named for. Nothing is run: most are for other machines.
func (s *Service) verifyBuilt(ctx context.Context, in product) (verification, error) {
	v := verification{}
	there := map[artifact.Platform]bool{}
	for i, a := range in.Artifacts {
		flow.Progress(ctx, "%d of %d archives", i, len(in.Artifacts))
		if err := s.verifyBytes(ctx, a); err != nil {
			return v, err
		}
		if a.Kind == artifact.Binary {
			if err := s.verifyProgram(ctx, in.Plan, a, &v); err != nil {
				return v, flow.Permanent(fmt.Errorf("verifying %s: %w", a.Name, err))
			}
			there[a.Platform] = true
		}
		if a.Kind != artifact.Archive {
			continue
		}
		there[a.Platform] = true
		v.Archives++
		if err := s.verifyPrograms(ctx, in.Plan, a, &v); err != nil {
			return v, flow.Permanent(fmt.Errorf("verifying %s: %w", a.Name, err))
		}
	}
	want := max(len(in.Plan.Project.Build.Platforms), 1)
	if !in.Plan.Project.Build.programs() {
		want = 0 // the source is all there is
	}
	if len(there) != want {
		return v, flow.Permanent(fmt.Errorf("there is something for %s, and %d were asked for", count(len(there), "platform", "platforms"), want))
	}
	flow.Progress(ctx, "%s, %s", count(v.Archives, "archive", "archives"), count(v.Programs, "program", "programs"))
	return v, nil
}

// verifyBytes compares a file on this machine with its digest.
func (s *Service) verifyBytes(ctx context.Context, a artifact.Artifact) error {
	f, err := os.Open(filepath.Join(s.outputDir(ctx), a.Name))
	if err != nil {
		return flow.Permanent(fmt.Errorf("%s is gone: resume the run, which makes it again: %w", a.Name, err))
	}
	defer f.Close()
	if err := a.Verify(f); err != nil {
		return flow.Permanent(fmt.Errorf("the file built for %s: %w", a.Name, err))
	}
	return nil
}

func (s *Service) verifyPrograms(ctx context.Context, p Plan, a artifact.Artifact, v *verification) error {
	dir := filepath.Join(s.runDir(ctx), "verify", a.Name)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := build.Extract(filepath.Join(s.outputDir(ctx), a.Name), dir, build.Limits{}); err != nil {
		return err
	}
	err := filepath.WalkDir(dir, func(file string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		program, err := build.Inspect(file)
		if errors.Is(err, build.ErrNotProgram) {
			return nil // a script, a licence, a readme
		}
		if err != nil {
			return err
		}
		v.Programs++
		return checkProgram(e.Name(), program, p, a, v)
	})
	return errors.Join(err, os.RemoveAll(dir))
}

// verifyProgram looks at a program that is published as it is.
func (s *Service) verifyProgram(ctx context.Context, p Plan, a artifact.Artifact, v *verification) error {
	program, err := build.Inspect(filepath.Join(s.outputDir(ctx), a.Name))
	if errors.Is(err, build.ErrNotProgram) {
		return nil // a script
	}
	if err != nil {
		return err
	}
	v.Programs++
	return checkProgram(a.Name, program, p, a, v)
}

// checkProgram compares what a program says of itself with what was asked for.
func checkProgram(name string, program build.Program, p Plan, a artifact.Artifact, v *verification) error {
	have, want := program.Platform, a.Platform
	if !want.IsZero() && (have.OS != want.OS || have.Arch != want.Arch) {
		return fmt.Errorf("%s is a program for %s, not for %s", name, have, want)
	}
	if program.GoVersion == "" {
		return nil
	}
	if revision := program.Settings["vcs.revision"]; revision != "" && revision != p.Commit {
		return fmt.Errorf("%s was built from %s, not from %s", name, revision, p.Commit)
	}
	v.GoVersion = strings.TrimPrefix(program.GoVersion, "go")
	return nil
}
