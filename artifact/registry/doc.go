// Package registry is the embedded container registry: the OCI distribution
// API, version 1.1, over a bucket.
//
//	r, err := registry.New(registry.Options{Bucket: bucket, Authorizer: people, Secret: secret})
//	http.Handle("/v2/", r)
//	…
//	done, err := r.Collect(ctx) // now and then: what abandoned pushes left
//
// Nothing is visible before it is whole. An object of the bucket appears with
// its last byte or not at all, and the objects of an image are written in the
// order in which they point at each other: content, the repository's link to
// it, the manifest, the entry among its subject's referrers, the tag. A process
// that is killed between two of them leaves something that nothing points at,
// which a repeated push takes up and Collect removes.
//
// The layout, below Options.Prefix:
//
//	blobs/sha256/9f/9f86…       the bytes, once however many repositories have them
//	links/sha256/9f/9f86…/a,b@  repository a/b has them; holds their size
//	repositories/a/b/_manifests/sha256-…  the media type, a line feed, the manifest's bytes
//	repositories/a/b/_referrers/sha256-SUBJECT/sha256-…  a descriptor, as listed
//	repositories/a/b/_tags/v1@  the digest the tag stands for
//	uploads/ID.session, uploads/ID.0 …  an upload that goes on, and its chunks
//
// Digests are sha256 or sha512. Links are filed by digest, so that a blob can
// be mounted from any repository its asker may read, and so that what no
// repository has any more is found without reading manifests.
//
// The specification: https://github.com/opencontainers/distribution-spec
package registry
