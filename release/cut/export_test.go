package cut

import (
	"context"

	"gocloud.dev/blob"

	"seaworthy/artifact"
)

// PutFiles uploads the files of a folder as staging does.
func PutFiles(ctx context.Context, b *blob.Bucket, prefix, dir string, files []artifact.Artifact) error {
	return (&Service{Options: Options{Bucket: b}}).putFiles(ctx, prefix, dir, files)
}
