// Package queue merges what is ready, one change after the other, and says of
// everything else why it waits.
//
// For each branch of a repository it looks at all open pull requests, lets
// package merge decide, and carries the decision out: start the jobs that one
// change lacks on the present tip, or merge the one that is green there. A
// change that cannot merge is passed over, never waited for. Nothing merges
// that was not tested on the commit it lands on.
//
//	q, err := queue.New(queue.Options{Forge: client, Runner: jobs, Query: policies, …})
//	err = q.HandleEvent(ctx, event) // after each event
//	err = q.Sync(ctx, repo, "main") // or at any other time
//
// Handling is idempotent: an event seen twice finds the work done. The reason
// for every step and every wait is recorded with its inputs, shown as the
// status "queue" of each pull request, and answered by Pools.
package queue
