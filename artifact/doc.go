// Package artifact is the vocabulary of what a release publishes: files with
// their size and digests, the manifest that lists them, and the checksum files
// people verify downloads with. It is pure; bytes arrive as readers.
//
//	sum := artifact.NewHasher()
//	io.Copy(io.MultiWriter(file, sum), source)
//	a := sum.Artifact("halyard_1.2.0_linux_amd64.tar.gz", artifact.Archive)
//
//	manifest, err := artifact.Manifest{Name: "halyard", Version: "v1.2.0", Artifacts: artifacts}.Encode()
//	sums, err := artifact.RenderChecksums(artifact.SHA256, artifacts)
//
// Everything written is deterministic: the same artifacts give the same bytes
// in whatever order they came.
package artifact
