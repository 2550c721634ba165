package bucket

import (
	"context"

	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/blob/s3blob"
)

// The services' own types of requests are named by the functions that take them:
// naming them by their packages would make the clients of two services
// dependencies of this program, besides the package that is over both.
func inputOf[I, O, F any](func(context.Context, *I, ...F) (O, error)) *I { return nil }
func queryOf[Q, O any](func(context.Context, *Q) O) *Q                   { return nil }
func clientOf[C, O any](func(O) *C) *C                                   { return nil }
func handleOf[H any](func(string) *H) *H                                 { return nil }

// BeginAt has a listing begin with the names, below its prefix, that sort after
// one, where the service can do that: Amazon's and Google's can.
func BeginAt(as func(any) bool, name string) error {
	input := inputOf(clientOf(s3blob.Dial).ListObjectsV2)
	if as(&input) {
		after := *input.Prefix + name
		input.StartAfter = &after
		return nil
	}
	query := queryOf(handleOf(gcsblob.Options{}.Client.Bucket).Objects)
	if as(&query) {
		query.StartOffset = query.Prefix + name
	}
	return nil
}
