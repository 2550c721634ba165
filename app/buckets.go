package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"gocloud.dev/blob"

	"seaworthy/bucket"
)

// OpenBucket opens the bucket of a URL, see bucket.Open; the caller closes it.
func OpenBucket(ctx context.Context, address string) (*blob.Bucket, error) {
	return bucket.Open(ctx, address)
}

func openFolder(path string) (*blob.Bucket, error) { return bucket.OpenFolder(path) }

// openBucket opens the platform's bucket, and looks whether it can be used: what
// is wrong with it is to be known before anything runs.
func (a *App) openBucket(ctx context.Context) (err error) {
	if a.bucketAddress, err = a.chosenBucket(); err != nil {
		return err
	}
	if a.Bucket, err = OpenBucket(ctx, a.bucketAddress); err != nil {
		return err
	}
	a.closers = append(a.closers, a.Bucket)
	if _, _, err := a.Bucket.ListPage(ctx, blob.FirstPageToken, 1, &blob.ListOptions{Prefix: "logs/"}); err != nil {
		return fmt.Errorf("looking into the platform's bucket: %w", err)
	}
	if a.o.Bucket == "" {
		return nil
	}
	if err := os.WriteFile(a.dir(bucketFile), []byte(a.o.Bucket+"\n"), 0o600); err != nil {
		return fmt.Errorf("keeping where the platform's bucket is: %w", err)
	}
	return nil
}

// bucketFile keeps where the bucket is, below Options.Dir.
const bucketFile = "bucket-address"

// chosenBucket is where the platform's bucket is: as the options say, or as they
// said the last time, so that a command at the same folder looks where the server
// writes.
func (a *App) chosenBucket() (string, error) {
	if a.o.Bucket != "" {
		if !strings.Contains(a.o.Bucket, "://") {
			return "", fmt.Errorf("the bucket %s is no URL: write file:///folder, s3://bucket, gs://bucket or azblob://container", a.o.Bucket)
		}
		return a.o.Bucket, nil
	}
	text, err := os.ReadFile(a.dir(bucketFile))
	if errors.Is(err, os.ErrNotExist) {
		return a.dir(bucketDir), nil
	}
	if err != nil {
		return "", fmt.Errorf("reading where the platform's bucket is: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
