// Package hosted keeps what the embedded forge knows beside its Git
// repositories: accounts, repositories, issues and pull requests, reviews,
// statuses, releases, webhooks and their deliveries.
//
// It holds rows, not rules. Who may do what, and what follows from it, is
// decided by forge/local; here a row is added, found, changed or removed.
// Reads go through [Store.Read], changes through [Store.Write], which gives
// one transaction to a whole group of them:
//
//	err := s.Write(ctx, func(q *hosted.Queries) error {
//		issue, err := q.AddIssue(ctx, hosted.Issue{RepoID: repo.ID, Title: "Leaks"})
//		if err != nil {
//			return err
//		}
//		return q.AddDelivery(ctx, delivery(issue))
//	})
//
// The function may run more than once, so it changes nothing but the database.
// The SQL is one text for SQLite and Postgres; the tables are made by the
// migrations numbered 0100 and up.
package hosted
