// Package local is the embedded forge: the part of GitHub's REST API that the
// product and GitHub's own clients use, and git over HTTP, on top of bare
// repositories in a folder and rows in a database.
//
// It is a server like any other: the product reaches it through forge/github
// over HTTP, with tokens, webhooks and all, so that what works here works on
// GitHub. Only what GitHub offers no API for is called in process: making
// accounts and tokens, and importing a repository.
//
//	f, err := local.New(local.Options{DB: db, GitDir: "/var/lib/seaworthy/git", BaseURL: "http://127.0.0.1:7070"})
//	if err != nil {
//		return err
//	}
//	go f.Run(ctx) // sends webhooks until ctx ends
//	http.ListenAndServe("127.0.0.1:7070", f.Handler())
//
// What is served: the API below /api/v3/ (uploads below /api/uploads/, as
// GitHub Enterprise Server does), git at /OWNER/REPO.git, and release files at
// /OWNER/REPO/releases/download/TAG/NAME. The shapes are those of GitHub's
// OpenAPI description and of its webhook schemas, version 2022-11-28.
//
// Git is the truth about refs. The database remembers which positions were
// announced; whatever moves a ref, a push or a call, is followed by settling
// the difference: pull requests follow their branches, and events are stored
// with the same transaction. A crash in between is settled at the next start.
package local
