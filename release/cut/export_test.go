package cut

import (
	"context"

	"gocloud.dev/blob"

	"seaworthy/artifact"
)

// PutFile uploads a file as staging does.
func PutFile(ctx context.Context, b *blob.Bucket, key, file string, a artifact.Artifact) error {
	return (&Service{Options: Options{Bucket: b}}).putFile(ctx, key, file, a)
}
