package hosted

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Errors that callers branch on.
var (
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("not in the forge's database")
	// ErrExists: a row with that name is there already.
	ErrExists = errors.New("exists already")
)

// DB is what the store needs of a database; *store.DB has it.
type DB interface {
	// Write runs fn in a transaction, and possibly again when it could not be
	// serialized.
	Write(ctx context.Context, fn func(*sql.Tx) error) error
	// Read returns the pool for reads outside a transaction.
	Read() *sql.DB
}

// Store is the forge's part of a database.
type Store struct{ db DB }

// New returns the store in a migrated database.
func New(db DB) *Store { return &Store{db: db} }

// Read returns queries outside any transaction. They must not change anything.
func (s *Store) Read() *Queries { return &Queries{s.db.Read()} }

// Write runs fn in one transaction: all its changes happen, or none. Inside,
// only the given queries may be used.
func (s *Store) Write(ctx context.Context, fn func(*Queries) error) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error { return fn(&Queries{tx}) })
}

// querier is the part that *sql.DB and *sql.Tx share.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Queries are the statements, on a pool or in a transaction.
type Queries struct{ db querier }

// NextID draws an identity that no row of any table has had.
func (q *Queries) NextID(ctx context.Context) (int64, error) {
	var id int64
	err := q.db.QueryRowContext(ctx, `UPDATE hosted_sequence SET value = value + 1 WHERE name = 'id' RETURNING value`).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("drawing an id: %w", err)
	}
	return id, nil
}

// exec runs a statement that changes any number of rows.
func (q *Queries) exec(ctx context.Context, query string, args ...any) error {
	for i, a := range args {
		args[i] = argument(a)
	}
	_, err := q.db.ExecContext(ctx, query, args...)
	return err
}

// Page is a part of a list. The zero value is the whole list.
type Page struct {
	Limit  int // 0: no limit
	Offset int
}
