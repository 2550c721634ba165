package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Setting returns a fact about this instance; ErrNotFound if it was never set.
func (db *DB) Setting(ctx context.Context, key string) (string, error) {
	var value string
	err := db.read.QueryRowContext(ctx, `SELECT value FROM setting WHERE key = $1`, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("reading setting %s: %w", key, err)
	}
	return value, nil
}

// SetSetting sets a fact about this instance. The value must be valid UTF-8
// without NUL; errors do not quote it.
func (db *DB) SetSetting(ctx context.Context, key, value string) error {
	if clean(key) != key || clean(value) != value {
		return fmt.Errorf("writing setting %q: it is not plain text", key)
	}
	err := db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO setting (key, value, updated_at) VALUES ($1, $2, $3)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`,
			key, value, Micros(db.now()))
		return err
	})
	if err != nil {
		return fmt.Errorf("writing setting %s: %w", key, err)
	}
	return nil
}
