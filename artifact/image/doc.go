// Package image makes container images without a daemon, and reads and moves
// those that are there.
//
//	index, err := image.Build(ctx, image.Request{
//		Spec: spec, Version: "v1.2.0", Revision: sha, Created: commitTime,
//		Built:   map[artifact.Platform]string{linux: folder}, // what was built
//		Folders: []string{checkout},
//	})
//	defer index.Close()
//	err = index.WriteLayout("dist/halyard", "v1.2.0")
//	err = index.Push(ctx, "registry.example.org/halyard", []string{"v1.2.0"}, image.Remote{})
//
// An image is an OCI index with one manifest for each platform, also where
// there is only one. Its layers are tars of which every entry has the commit's
// time, numeric owners and a fixed mode, sorted, compressed with fixed settings
// while they are digested: the same files give the same digest on any machine.
// A base is resolved to a digest once and told of in Built, so that provenance
// can name it.
//
// Images go to and come from OCI layout folders, archives that podman, docker,
// ctr and skopeo read, and registries. Every blob is checked against its digest
// on the way. Blobs go before manifests and tags come last, so a tag never
// names what is not there.
package image
