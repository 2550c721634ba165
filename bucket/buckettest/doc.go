// Package buckettest starts real servers of buckets for tests: versitygw, which
// speaks as Amazon's storage does, fake-gcs-server, which speaks as Google's, and
// Azurite, which speaks as Azure's. scripts/setup gets them.
//
//	s := buckettest.S3(t, "ci")
//	b, err := bucket.Open(ctx, s.Address("ci"))
//	s.Proxy.Delay(20 * time.Millisecond)
//	requests := s.Proxy.Take().Requests
//
// Where there are none, the test is skipped, and fails where CI is true. Each is
// reached through a proxy that counts requests, delays them, and fails them.
package buckettest
