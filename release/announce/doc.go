// Package announce writes the announcement of a release: as Markdown for a
// page or a chat, as plain text, and as a complete mail message (RFC 5322) in
// a file. All three come from one template and say the same.
//
//	a := announce.Announcement{
//		Project: "Halyard", Version: "v1.2.0", Kind: release.Official,
//		PageURL: "https://forge.example/harbour/halyard/releases/tag/v1.2.0",
//		Notes:   markdown, Signature: "The Halyard release team",
//	}
//	page, err := a.Markdown()
//	eml, err := a.Message(announce.Envelope{
//		From: "releases@halyard.example", To: []string{"announce@halyard.example"}, Date: now,
//	})
//
// The same values give the same bytes. Values are escaped where they are
// inserted, and one that would add a header or leave its line is refused.
// Nothing is sent from here.
package announce
