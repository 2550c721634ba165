// Package mailtest is a mail server for tests: it takes every message and keeps
// it.
//
//	sink := mailtest.New(t, mailtest.Options{})
//	// … let something send to sink.Addr …
//	for _, m := range sink.Messages() {
//		fmt.Println(m.To, m.Data)
//	}
package mailtest
