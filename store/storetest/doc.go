// Package storetest gives tests a database of their own: a file of SQLite,
// and a database on a real Postgres server that the package starts and stops
// by itself.
//
//	func TestPool(t *testing.T) {
//		storetest.Each(t, func(t *testing.T, db *store.DB) {
//			// runs twice: TestPool/sqlite and TestPool/postgres
//		})
//	}
//
// The server comes from the Debian package postgresql (no service needs to
// run). There is one per test binary, on a socket in a temporary folder, and
// it ends with the binary, however that ends. Where Postgres is not installed
// the test is skipped, or fails when the variable CI is "true".
package storetest
