// Package bucket opens the buckets that results and releases are kept in: folders,
// Amazon's storage and what speaks like it, Google's, and Azure's.
//
//	b, err := bucket.Open(ctx, "s3://ci-results/logs?region=eu-west-1")
//	text, err := b.ReadAll(ctx, "unit/1/started.json")
//
// A service that does not answer is given up, and what it refuses is explained in
// words that tell what to do. Something that must not be read is an error: it is
// never taken for something that is not there.
package bucket
