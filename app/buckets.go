package app

import (
	"context"

	"gocloud.dev/blob"

	"seaworthy/bucket"
)

// OpenBucket opens the bucket of a URL, see bucket.Open; the caller closes it.
func OpenBucket(ctx context.Context, address string) (*blob.Bucket, error) {
	return bucket.Open(ctx, address)
}

func openFolder(path string) (*blob.Bucket, error) { return bucket.OpenFolder(path) }
