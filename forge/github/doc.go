// Package github speaks GitHub's REST API, version 2022-11-28, for the
// vocabulary of package forge. The forge behind it may be github.com, a GitHub
// Enterprise server or the embedded forge: only the base URL differs.
//
//	client, err := github.New(github.Options{
//		BaseURL:   "http://127.0.0.1:8080/api/v3/",
//		UploadURL: "http://127.0.0.1:8080/api/uploads/",
//		Token:     token,
//	})
//	...
//	pull, err := client.PullRequest(ctx, repo, 42)
//	if errors.Is(err, forge.ErrNotFound) { ... }
//
// Lists are followed to their last page. Every error says what was being
// attempted and wraps one of forge's errors; a forge that asks to wait gives a
// *forge.RateLimitError with the time until which. Reads are repeated a few
// times when the forge is unreachable or answers 5xx; nothing that changes the
// forge is ever repeated. Answers are kept in memory with their ETag, because
// GitHub does not charge for a read that it answers with 304.
//
// Incoming webhooks are checked with VerifySignature and read with DecodeEvent.
package github
