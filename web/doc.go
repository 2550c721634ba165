// Package web is what a person sees in a browser: pages rendered on the server,
// one stylesheet, one small script that keeps pages up to date.
//
// Every page is complete without the script, has a stable address that holds
// its filters, and is sent with a content policy that allows this server's own
// files only. The script listens to /live for the topics the page shows and,
// when one changes, asks for the page again.
//
// The package knows the services by the few methods it declares; it never
// touches the database or the bucket.
//
//	pages, err := web.New(web.Options{Runs: runs, Forge: forge, Releases: cut, …})
//	http.Handle("/", pages)
package web
