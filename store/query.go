package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// query is a SELECT that grows by conditions.
type query struct {
	text strings.Builder
	args []any
	word string // joins the next condition
}

func newQuery(text string) *query {
	q := &query{word: " WHERE "}
	q.text.WriteString(text)
	return q
}

// and adds a condition; each '?' in it stands for the next value.
func (q *query) and(condition string, values ...any) {
	q.text.WriteString(q.word)
	q.word = " AND "
	q.add(condition, values...)
}

// add adds text; each '?' in it stands for the next value.
func (q *query) add(text string, values ...any) {
	for _, v := range values {
		before, after, _ := strings.Cut(text, "?")
		q.args = append(q.args, v)
		q.text.WriteString(before + "$" + strconv.Itoa(len(q.args)))
		text = after
	}
	q.text.WriteString(text)
}

// limit adds a LIMIT; 0 means none.
func (q *query) limit(n int) {
	if n > 0 {
		q.add(" LIMIT ?", n)
	}
}

// collect reads all rows and closes them.
func collect[T any](rows *sql.Rows, one func(scan func(...any) error) (T, error)) ([]T, error) {
	var all []T
	for rows.Next() {
		v, err := one(rows.Scan)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		all = append(all, v)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	return all, nil
}

// changed reports whether a statement changed a row.
func changed(r sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}

// clean makes s fit for a TEXT column of either database: Postgres takes
// neither broken UTF-8 nor the character NUL, and logs contain both.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// toJSON renders one of our own types. JSON escapes the NULs and json.Marshal
// replaces broken UTF-8, so the result needs no cleaning.
func toJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encoding %T: %w", v, err)
	}
	return string(b), nil
}

// rawJSON checks JSON from outside. Nothing at all is kept as the empty text.
func rawJSON(what string, b json.RawMessage) (string, error) {
	if len(b) > 0 && !json.Valid(b) {
		return "", fmt.Errorf("%s is not valid JSON", what)
	}
	return clean(string(b)), nil
}

// fromRaw is the inverse of rawJSON.
func fromRaw(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}
