package bucket

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
	"strconv"
	"strings"
	"time"

	gcaws "gocloud.dev/aws"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcp"
)

// Open opens the bucket of a URL; the caller closes it. Keys are below the path of
// the URL: in gs://bucket/releases the key v1/tool is the object releases/v1/tool.
// These are understood, with the options of https://gocloud.dev/howto/blob/ in the
// query:
//
//	file:///folder           a folder, made when missing; also a plain path
//	s3://bucket/path         credentials as the AWS tools find them; endpoint=… for other makes
//	gs://bucket/path         credentials as gcloud leaves them; without any, as anybody
//	azblob://container/path  AZURE_STORAGE_ACCOUNT and its key or an identity
//	mem://                   empty, and gone when closed
func Open(ctx context.Context, address string) (*blob.Bucket, error) {
	return open(ctx, address, patience)
}

func open(ctx context.Context, address string, wait time.Duration) (*blob.Bucket, error) {
	if !strings.Contains(address, "://") {
		return OpenFolder(address)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the bucket's URL cannot be read: %w", errors.Unwrap(err))
	}
	openers := map[string]func(context.Context, *url.URL) (*blob.Bucket, error){
		"file":   func(_ context.Context, u *url.URL) (*blob.Bucket, error) { return OpenFolder(u.Host + u.Path) },
		"mem":    (&memblob.URLOpener{}).OpenBucketURL,
		"s3":     openS3,
		"gs":     openGoogle,
		"azblob": openAzure,
	}
	opener, known := openers[u.Scheme]
	if !known {
		return nil, fmt.Errorf("no bucket can be opened at %s://…: write %s", u.Scheme, strings.Join(slices.Sorted(maps.Keys(openers)), "://, ")+"://")
	}
	b, err := opener(ctx, u)
	if err != nil {
		// The query may hold keys.
		return nil, fmt.Errorf("opening the bucket %s://%s: %w", u.Scheme, u.Host, err)
	}
	if s := services()[u.Scheme]; s != nil {
		b = blob.NewBucket(newCloud(b, s, u.Scheme+"://"+u.Host, wait))
	}
	prefix := strings.Trim(u.Path, "/")
	if u.Scheme == "file" || prefix == "" {
		return b, nil
	}
	return blob.PrefixedBucket(b, prefix+"/"), nil
}

// OpenFolder opens a folder, made when missing, as a bucket. It keeps no files of
// its own besides the objects, and no temporary ones outside: what is there when
// it is closed is what was written.
func OpenFolder(path string) (*blob.Bucket, error) {
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

// Requests that one service gets at a time keep their connections: a grid is
// read from many small files, and a new connection costs as much as three.
const connections = 100

// transport is that of all buckets on services.
func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, connections
	t.ResponseHeaderTimeout = patience / 4 // so that an attempt is left
	return t
}

// openS3 opens a bucket of Amazon's storage, or of what speaks like it.
func openS3(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	q := u.Query()
	for _, name := range []string{"ssetype", "accelerate", "disable_https"} {
		if q.Has(name) { // only the opener knows how
			return (&s3blob.URLOpener{}).OpenBucketURL(ctx, u)
		}
	}
	// A host that is taken as it is has the bucket in the path.
	for _, name := range []string{"use_path_style", "s3ForcePathStyle"} {
		if q.Has(name) {
			q.Set("hostname_immutable", q.Get(name))
			q.Del(name)
		}
	}
	o := s3blob.Options{KMSEncryptionID: q.Get("kmskeyid")}
	q.Del("kmskeyid")
	config, err := gcaws.V2ConfigFromURLParams(ctx, q)
	if err != nil {
		return nil, err
	}
	o.RequestChecksumCalculation = config.RequestChecksumCalculation
	config.Logger = nil // it warns of every object that a server keeps no checksum of
	config.RetryMaxAttempts = s3Attempts
	if n, err := strconv.Atoi(os.Getenv("AWS_MAX_ATTEMPTS")); err == nil && n > 0 {
		config.RetryMaxAttempts = n
	}
	if config.HTTPClient == nil { // else there is a bundle of certificates to trust
		config.HTTPClient = &http.Client{Transport: transport(), CheckRedirect: s3Redirect}
	}
	return s3blob.OpenBucket(ctx, s3blob.Dial(config), u.Host, &o)
}

// s3Attempts is how often a request is sent that a service was too busy for.
const s3Attempts = 6

// s3Redirect follows what keeps the request as it was: others lose the signature.
func s3Redirect(r *http.Request, via []*http.Request) error {
	if len(via) < 10 && (r.Response.StatusCode == http.StatusTemporaryRedirect || r.Response.StatusCode == http.StatusPermanentRedirect) {
		return nil
	}
	return http.ErrUseLastResponse
}

func openGoogle(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	credentials, err := gcp.DefaultCredentials(ctx)
	if err != nil || os.Getenv("STORAGE_EMULATOR_HOST") != "" {
		anybody := gcp.NewAnonymousHTTPClient(transport())
		return (&gcsblob.URLOpener{Client: anybody}).OpenBucketURL(ctx, u)
	}
	client, err := gcp.NewHTTPClient(transport(), gcp.CredentialsTokenSource(credentials))
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
