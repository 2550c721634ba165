package hosted

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// table reads and writes the rows of one table. fields returns pointers to a
// row's fields in the order of columns; the first key of them are the primary
// key.
type table[T any] struct {
	name    string
	columns string // separated by spaces
	key     int
	fields  func(*T) []any
}

func (t table[T]) insert(ctx context.Context, q *Queries, row *T) error {
	columns := strings.Fields(t.columns)
	marks := make([]string, len(columns))
	for i := range marks {
		marks[i] = "$" + strconv.Itoa(i+1)
	}
	var args []any
	for _, f := range t.fields(row) {
		args = append(args, argument(f))
	}
	done, err := q.db.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT DO NOTHING",
		t.name, strings.Join(columns, ", "), strings.Join(marks, ", ")), args...)
	return t.changed("adding to", done, err, ErrExists)
}

func (t table[T]) update(ctx context.Context, q *Queries, row *T) error {
	columns := strings.Fields(t.columns)
	var args []any
	var set, where []string
	for i, f := range t.fields(row) {
		args = append(args, argument(f))
		assign := columns[i] + " = $" + strconv.Itoa(i+1)
		if i < t.key {
			where = append(where, assign)
		} else {
			set = append(set, assign)
		}
	}
	done, err := q.db.ExecContext(ctx, fmt.Sprintf("UPDATE %s SET %s WHERE %s",
		t.name, strings.Join(set, ", "), strings.Join(where, " AND ")), args...)
	return t.changed("changing", done, err, ErrNotFound)
}

// remove deletes the rows that the condition names.
func (t table[T]) remove(ctx context.Context, q *Queries, where string, args ...any) error {
	done, err := q.db.ExecContext(ctx, "DELETE FROM "+t.name+" WHERE "+where, args...)
	return t.changed("removing from", done, err, ErrNotFound)
}

func (t table[T]) changed(what string, done sql.Result, err error, none error) error {
	if err != nil {
		if unique(err) {
			return fmt.Errorf("%s %s: %w", what, t.name, ErrExists)
		}
		return fmt.Errorf("%s %s: %w", what, t.name, err)
	}
	n, err := done.RowsAffected()
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, t.name, err)
	}
	if n == 0 {
		return fmt.Errorf("%s %s: %w", what, t.name, none)
	}
	return nil
}

// unique recognises a broken uniqueness rule in the words of either database.
func unique(err error) bool {
	s := err.Error()
	return strings.Contains(s, "UNIQUE constraint failed") || strings.Contains(s, "SQLSTATE 23505")
}

// one returns the first row of a query's rest (WHERE …).
func (t table[T]) one(ctx context.Context, q *Queries, rest string, args ...any) (T, error) {
	var row T
	err := q.db.QueryRowContext(ctx, t.query(rest), args...).Scan(t.fields(&row)...)
	if errors.Is(err, sql.ErrNoRows) {
		return row, fmt.Errorf("reading %s: %w", t.name, ErrNotFound)
	}
	if err != nil {
		return row, fmt.Errorf("reading %s: %w", t.name, err)
	}
	return row, nil
}

// list returns all rows of a query's rest.
func (t table[T]) list(ctx context.Context, q *Queries, rest string, args ...any) ([]T, error) {
	rows, err := q.db.QueryContext(ctx, t.query(rest), args...)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", t.name, err)
	}
	return scanAll(rows, func(row *T) []any { return t.fields(row) })
}

// page returns a part of the rows and how many there are in all.
func (t table[T]) page(ctx context.Context, q *Queries, p Page, where, order string, args ...any) ([]T, int, error) {
	var total int
	if err := q.db.QueryRowContext(ctx, "SELECT count(*) FROM "+t.name+" WHERE "+where, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("counting %s: %w", t.name, err)
	}
	rest := "WHERE " + where + " ORDER BY " + order
	if p.Limit > 0 {
		rest += " LIMIT " + strconv.Itoa(p.Limit) + " OFFSET " + strconv.Itoa(p.Offset)
	}
	rows, err := t.list(ctx, q, rest, args...)
	return rows, total, err
}

func (t table[T]) query(rest string) string {
	return "SELECT " + strings.Join(strings.Fields(t.columns), ", ") + " FROM " + t.name + " " + rest
}

// scanAll reads all rows and closes them.
func scanAll[T any](rows *sql.Rows, fields func(*T) []any) ([]T, error) {
	var all []T
	for rows.Next() {
		var row T
		if err := rows.Scan(fields(&row)...); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		all = append(all, row)
	}
	return all, errors.Join(rows.Err(), rows.Close())
}

// instant keeps a time as microseconds since 1970, and the zero time as 0.
type instant struct{ t *time.Time }

// Scan implements sql.Scanner.
func (i instant) Scan(src any) error {
	us, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a time is kept as %T, not as a number", src)
	}
	*i.t = time.Time{}
	if us != 0 {
		*i.t = time.UnixMicro(us).UTC()
	}
	return nil
}

// Value implements driver.Valuer.
func (i instant) Value() (driver.Value, error) {
	if i.t.IsZero() {
		return int64(0), nil
	}
	return i.t.UnixMicro(), nil
}

// document keeps a value as JSON.
type document struct{ v any }

// Scan implements sql.Scanner.
func (d document) Scan(src any) error {
	switch s := src.(type) {
	case string:
		return json.Unmarshal([]byte(s), d.v)
	case []byte:
		return json.Unmarshal(s, d.v)
	}
	return fmt.Errorf("a document is kept as %T, not as text", src)
}

// Value implements driver.Valuer.
func (d document) Value() (driver.Value, error) {
	b, err := json.Marshal(d.v)
	return string(b), err
}

// argument turns a pointer to a field into what a driver takes.
func argument(f any) any {
	switch p := f.(type) {
	case *string:
		return clean(*p)
	case string:
		return clean(p)
	case *int64:
		return *p
	case *int:
		return int64(*p)
	case *bool:
		return *p
	case *time.Duration:
		return p.Microseconds()
	}
	return f
}

// clean makes text fit for both databases: Postgres takes neither broken UTF-8
// nor the character NUL.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
