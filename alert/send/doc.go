// Package send tells people of what alert has decided: by mail, in a chat and
// in issues of the forge.
//
//	s := &send.Sender{Settings: db, Mailer: server, Room: room, Tracker: forge, From: "ci@example.org", Log: log}
//	err := s.Run(ctx, repo, tabs, rules, now)
//
// What is to be said is stored before it is said, and struck off after. A
// process that dies in between leaves a message of which nobody knows whether
// it arrived: an issue and a chat are looked at before it is sent again, and a
// mail is sent again under the same Message-ID, by which mail programs
// recognise it. A channel that is out of order holds up no other; what could
// not be said is tried again the next time.
package send
