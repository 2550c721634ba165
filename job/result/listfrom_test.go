package result_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/gcerrors"

	"seaworthy/job/result"
)

// asked is a driver that lists another bucket, and asks before as one of a service
// does, which can do nothing it is asked for.
type asked struct {
	driver.Bucket
	inner *blob.Bucket
}

func (a asked) Close() error                           { return nil }
func (a asked) ErrorCode(err error) gcerrors.ErrorCode { return gcerrors.Code(err) }

func (a asked) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	if o.BeforeList != nil {
		if err := o.BeforeList(func(any) bool { return false }); err != nil {
			return nil, err
		}
	}
	all, _, err := a.inner.ListPage(ctx, blob.FirstPageToken, 1000, &blob.ListOptions{Prefix: o.Prefix, Delimiter: o.Delimiter})
	page := &driver.ListPage{}
	for _, x := range all {
		page.Objects = append(page.Objects, &driver.ListObject{Key: x.Key, IsDir: x.IsDir})
	}
	return page, err
}

// A service is asked to begin late only where names sort as numbers do; what it
// does not leave out comes.
func TestListFrom(t *testing.T) {
	t.Parallel()
	inner := memblob.OpenBucket(nil)
	defer inner.Close()
	b := blob.NewBucket(asked{inner: inner})
	defer b.Close()
	for _, id := range []string{"7", "99", "100", "2000000000000000001", "2000000000000000002"} {
		if err := inner.WriteAll(t.Context(), "logs/unit/"+id+"/started.json", []byte("{}"), nil); err != nil {
			t.Fatal(err)
		}
	}
	for id, steady := range map[string]bool{"": false, "99": false, "999999999999999": false, "2000000000000000001": true, "0000000000000000001": false, "v1.2.3-20260102150405": false} {
		var asked []string
		refs, err := result.ListFrom(t.Context(), b, "logs/unit", id, func(_ func(any) bool, name string) error {
			asked = append(asked, name)
			return nil
		})
		if err != nil || len(refs) != 5 {
			t.Errorf("%s: %v, %v", id, refs, err)
		}
		if want := []string{id}; steady != slices.Equal(asked, want) || steady != result.Steady(id) {
			t.Errorf("after %q the service was asked for %v", id, asked)
		}
	}
	failed := errors.New("no")
	if _, err := result.ListFrom(t.Context(), b, "logs/unit", "2000000000000000001", func(func(any) bool, string) error { return failed }); err == nil {
		t.Error("a service that cannot be asked is no error")
	}
}
