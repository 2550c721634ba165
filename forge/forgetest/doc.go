// Package forgetest holds the conformance suite for forges: what each call of
// an adapter promises, checked against a running forge through that adapter.
//
//	func TestConformance(t *testing.T) {
//		forgetest.Run(t, func(t *testing.T) forgetest.Fixture {
//			server := start(t) // a forge with three accounts
//			return forgetest.Fixture{
//				Admin: server.account("admin"),
//				Ann:   server.account("ann"),
//				Ben:   server.account("ben"),
//				...
//			}
//		})
//	}
//
// The suite drives git itself (clone, push, fetch with a token) and runs its
// own receiver for webhooks. It needs the git program and loopback only.
package forgetest
