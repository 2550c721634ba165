// Package app is the composition root: it turns options into adapters, adapters
// into services, and starts and stops them in order. It is the only importer of
// adapters.
//
//	a, err := app.Open(ctx, app.Options{Dir: ".seaworthy", Addr: "127.0.0.1:7070"})
//	defer a.Close()
//	err = a.Run(ctx) // serves until ctx ends
package app
