// Package signal reads the test signal: the grids of a repository's jobs, kept
// up to date from the results in the bucket, and what they say in a word.
//
// Grids are derived. The service keeps them in memory and, when asked, reads
// only the builds it has not seen finished; losing them costs one read of the
// newest builds.
//
//	s := signal.New(signal.Options{Bucket: bucket, Jobs: jobs, Now: time.Now})
//	tabs, err := s.Tabs(ctx, repo)
//	for _, t := range tabs {
//		fmt.Println(t.Job, t.Summary.Status) // post-unit PASSING
//	}
package signal
