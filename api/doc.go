// Package api is what programs talk to: the webhooks that forges send, and the
// dashboards and grids as JSON and badges, in TestGrid's form and in parts.
//
// A webhook is verified before it is parsed, and stored before it is answered;
// what it causes happens later, from the store. So an answer of 202 means that
// the event cannot be lost, and any other answer that it was not taken.
//
//	mux.Handle("POST /hooks/github", api.Webhooks(api.WebhookOptions{Secret: secret, Verify: github.VerifySignature, …}))
//	mux.Handle("/api/v1/", api.Grids(api.GridOptions{Signal: service, Now: time.Now, Log: log}))
package api
