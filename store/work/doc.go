// Package work runs queued and periodic work that survives a crash. An item is
// a row in the database: it is queued in the same transaction as the change
// that calls for it, and handled by whichever process is free.
//
//	q, err := work.New(db, work.Config{
//		Queues:   map[string]int{"default": 4},
//		Handlers: map[string]work.Handler{"event": handleEvent},
//		Log:      log,
//	})
//	…
//	err = db.Write(ctx, func(tx *sql.Tx) error {
//		// … change something …
//		return q.EnqueueTx(ctx, tx, work.Item{Kind: "event", Key: "17", Payload: payload})
//	})
//	…
//	return q.Run(ctx) // until ctx ends
//
// # What is promised
//
//   - An item whose transaction committed is handled at least once. It is
//     handled again if the handler returned an error (with growing pauses, at
//     most MaxAttempts times) or if the process died meanwhile: handlers must
//     be idempotent.
//   - Of one Kind and Key at most one item waits. Queueing another changes
//     nothing, or brings it forward if the new one is due sooner. Queueing one
//     while its twin runs makes it run once more, after the twin.
//   - Items of one Kind and Key do not run at the same time in one process.
//   - On SQLite the database belongs to one process, so whatever ran when that
//     process died is taken up at once when Run starts again. On Postgres the
//     processes watch one another, and take it up after a minute of silence.
//
// The queue is River's (riverqueue.com), through database/sql on both
// databases; no type of River's shows.
package work
