// Package transfer moves images and files by digest, as a promotion plan says.
//
//	registries := transfer.NewRegistries(transfer.RegistryOptions{})
//	journal, err := transfer.OpenJournal(".seaworthy/promote")
//	p, err := transfer.Prepare(ctx, manifests, transfer.Options{Registries: registries, Journal: journal})
//	// p.Plan says what would be done; nothing was changed so far.
//	result, err := p.Run(ctx)
//
// Images are copied between any two registries that speak the distribution
// protocol, with one session for each registry. A blob is sent to a registry
// once and mounted from then on. Signatures and attestations come along. Tags
// are written last, so nothing is visible under one before it is whole; what
// fails, fails alone. Registries are listened to when they say that it is too
// much.
//
// A journal remembers what was begun and what was seen. It saves requests and
// lets a run go on after a crash, but the destinations are looked at all the
// same: where the two differ, they are right.
//
// Look compares production with the manifests. PrepareFiles does for files in
// buckets what Prepare does for images, and Mirror copies the files of releases
// on a forge.
package transfer
