// Package verify re-checks a published release as an outsider would: it takes
// nothing from the machinery that made it, but downloads what everybody can
// download and holds it against the checksums, the signatures, the statement of
// how it was made, the bill of materials, the tag and the markers.
//
//	report, err := verify.Release(ctx, repo, "v1.2.0", verify.Options{Pages: forge, Tags: tags, Verifier: verifier})
//	for _, c := range report.Checks {
//		fmt.Println(c.State, c.Name, c.Says)
//	}
//
// Every check says passed, failed or skipped, and why. What a release does not
// have (images, a bill of materials) is skipped; what it has must hold.
package verify
