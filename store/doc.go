// Package store keeps what has to survive a crash: the events received, the
// executions of jobs, the journals of flows, the decisions taken and a few
// settings. One file of SQLite serves a laptop; a Postgres server serves a
// team. The SQL is the same text for both.
//
//	db, err := store.Open(ctx, store.Options{URL: "sqlite:/var/lib/seaworthy/seaworthy.db"})
//	if err != nil {
//		return err
//	}
//	defer db.Close()
//	if err := db.Migrate(ctx); err != nil {
//		return err
//	}
//	err = db.Write(ctx, func(tx *sql.Tx) error {
//		_, err := tx.ExecContext(ctx, `UPDATE forge_issue SET title = $1 WHERE id = $2`, title, id)
//		return err
//	})
//
// # Writing SQL for both databases
//
//   - Placeholders are $1, $2, …
//   - Times are BIGINT, microseconds since 1970 in UTC, 0 for the zero time:
//     see [Micros] and [FromMicros].
//   - JSON is TEXT.
//   - Everything that writes goes through [DB.Write]; reads outside a
//     transaction use [DB.Read]. Inside Write, use only the transaction.
//   - A migration is a file NNNN_name.sql in migrations/, in goose's form with
//     an Up part only. Three words stand for what the two databases spell
//     differently: {{autokey}} is the definition of an ascending integer
//     primary key, {{bytes}} the type of a byte string, and {{appendonly "t"}}
//     the triggers that let rows of table t be added but never changed.
//   - Numbers below 0100 belong to this package, 01NN to the embedded forge.
//
// # Guarantees
//
// When Write returns nil, the change is on the disk: SQLite runs with
// synchronous=FULL, and a Postgres server's own durability is left alone.
// Transactions are serializable on both databases; on Postgres, Write runs its
// function again when the server reports a serialization failure, so the
// function must not have effects outside the transaction.
package store
