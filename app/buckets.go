package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcp"
)

// OpenBucket opens the bucket of a URL; the caller closes it. Keys are below
// the path of the URL: in gs://bucket/releases the key v1/tool is the object
// releases/v1/tool. These are understood, with the options of
// https://gocloud.dev/howto/blob/ in the query:
//
//	file:///folder           a folder, made when missing; also a plain path
//	s3://bucket/path         credentials as the AWS tools find them; endpoint=… for other makes
//	gs://bucket/path         credentials as gcloud leaves them; without any, as anybody
//	azblob://container/path  AZURE_STORAGE_ACCOUNT and its key or an identity
//	mem://                   empty, and gone when closed
func OpenBucket(ctx context.Context, address string) (*blob.Bucket, error) {
	if !strings.Contains(address, "://") {
		return openFolder(address)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the bucket's URL cannot be read: %w", errors.Unwrap(err))
	}
	openers := map[string]func(context.Context, *url.URL) (*blob.Bucket, error){
		"file":   func(_ context.Context, u *url.URL) (*blob.Bucket, error) { return openFolder(u.Host + u.Path) },
		"mem":    (&memblob.URLOpener{}).OpenBucketURL,
		"s3":     (&s3blob.URLOpener{}).OpenBucketURL,
		"gs":     openGoogle,
		"azblob": openAzure,
	}
	open, known := openers[u.Scheme]
	if !known {
		return nil, fmt.Errorf("no bucket can be opened at %s://…: write %s", u.Scheme, strings.Join(slices.Sorted(maps.Keys(openers)), "://, ")+"://")
	}
	b, err := open(ctx, u)
	if err != nil {
		// The query may hold keys.
		return nil, fmt.Errorf("opening the bucket %s://%s: %w", u.Scheme, u.Host, err)
	}
	prefix := strings.Trim(u.Path, "/")
	if u.Scheme == "file" || prefix == "" {
		return b, nil
	}
	return blob.PrefixedBucket(b, prefix+"/"), nil
}

// openFolder keeps no files of its own besides the objects, and no temporary
// ones outside: what is there when it is closed is what was written.
func openFolder(path string) (*blob.Bucket, error) {
	if path == "" {
		return nil, errors.New("a folder is needed: write file:///folder")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening the folder %s: %w", path, err)
	}
	b, err := fileblob.OpenBucket(path, &fileblob.Options{CreateDir: true, NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		return nil, fmt.Errorf("opening the folder %s: %w", path, err)
	}
	return b, nil
}

func openGoogle(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	credentials, err := gcp.DefaultCredentials(ctx)
	if err != nil || os.Getenv("STORAGE_EMULATOR_HOST") != "" {
		anybody := gcp.NewAnonymousHTTPClient(http.DefaultTransport)
		return (&gcsblob.URLOpener{Client: anybody}).OpenBucketURL(ctx, u)
	}
	client, err := gcp.NewHTTPClient(gcp.DefaultTransport(), gcp.CredentialsTokenSource(credentials))
	if err != nil {
		return nil, err
	}
	return (&gcsblob.URLOpener{Client: client, TokenSource: gcp.CredentialsTokenSource(credentials)}).OpenBucketURL(ctx, u)
}

func openAzure(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	o := azureblob.URLOpener{
		ServiceURLOptions: *azureblob.NewDefaultServiceURLOptions(),
		MakeClient:        azureblob.NewDefaultClient,
	}
	return o.OpenBucketURL(ctx, u)
}
