package build

import (
	"context"
	"fmt"
	"slices"

	"seaworthy/artifact"
)

// SumFiles says which checksum files go with a set of artifacts.
type SumFiles struct {
	Algorithms []artifact.Algorithm // none means sha256 and sha512
	// Beside adds NAME.sha256 and NAME.sha512 for each artifact, for people
	// who download one of many, to SHA256SUMS and SHA512SUMS.
	Beside bool
}

// Checksums writes the checksum files of artifacts that lie in dir, all in the
// format of sha256sum. Nothing is read again: the sums are those taken while
// the artifacts were written. It returns the files written, sorted by name.
func Checksums(ctx context.Context, dir string, artifacts []artifact.Artifact, want SumFiles) (written []artifact.Artifact, err error) {
	algorithms := want.Algorithms
	if len(algorithms) == 0 {
		algorithms = []artifact.Algorithm{artifact.SHA256, artifact.SHA512}
	}
	s, err := openStaging(dir)
	if err != nil {
		return nil, err
	}
	defer s.remove(&err)
	for _, alg := range slices.Compact(slices.Sorted(slices.Values(algorithms))) {
		lists := map[string][]artifact.Artifact{alg.File(): artifacts}
		for _, a := range artifacts {
			if want.Beside {
				lists[a.Name+"."+string(alg)] = []artifact.Artifact{a}
			}
		}
		for name, list := range lists {
			sums, err := s.checksums(ctx, alg, name, list)
			if err != nil {
				return nil, fmt.Errorf("writing the checksums of %d files: %w", len(artifacts), err)
			}
			written = append(written, sums)
		}
	}
	artifact.Sort(written)
	return written, s.publish(written)
}

func (s *staging) checksums(ctx context.Context, alg artifact.Algorithm, name string, list []artifact.Artifact) (artifact.Artifact, error) {
	text, err := artifact.RenderChecksums(alg, list)
	if err != nil {
		return artifact.Artifact{}, err
	}
	f, err := s.open(ctx, name)
	if err != nil {
		return artifact.Artifact{}, err
	}
	_, err = f.Write(text)
	if err := f.finish(err); err != nil {
		return artifact.Artifact{}, err
	}
	return f.artifact(artifact.Checksums, artifact.Platform{}), nil
}
